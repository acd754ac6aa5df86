package objects

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// form is an upload to sign.
type form struct {
	bucket, region string
	credentials    aws.Credentials
	fields         map[string]string // the key and the type; the others are added
	size           int64             // bytes, exactly
	now, until     time.Time
}

// signForm adds a policy and its signature to a form's fields (Amazon S3 API Reference,
// "Creating a POST policy" and "Calculating a signature"). The SDK's own presigner of
// forms takes its time from no clock but the machine's.
func signForm(f form) error {
	date := f.now.UTC().Format("20060102")
	f.fields["x-amz-algorithm"] = "AWS4-HMAC-SHA256"
	f.fields["x-amz-credential"] = f.credentials.AccessKeyID + "/" + date + "/" + f.region + "/s3/aws4_request"
	f.fields["x-amz-date"] = f.now.UTC().Format("20060102T150405Z")
	if f.credentials.SessionToken != "" {
		f.fields["x-amz-security-token"] = f.credentials.SessionToken
	}
	conditions := []any{
		map[string]string{"bucket": f.bucket},
		[]any{"content-length-range", f.size, f.size},
	}
	names := make([]string, 0, len(f.fields))
	for name := range f.fields {
		names = append(names, name)
	}
	slices.Sort(names) // one form for one request
	for _, name := range names {
		conditions = append(conditions, []any{"eq", "$" + name, f.fields[name]})
	}
	policy, err := json.Marshal(map[string]any{
		"expiration": f.until.UTC().Format("2006-01-02T15:04:05.000Z"), "conditions": conditions,
	})
	if err != nil {
		return fmt.Errorf("make the policy of a form: %w", err)
	}
	f.fields["policy"] = base64.StdEncoding.EncodeToString(policy)
	f.fields["x-amz-signature"] = Signature(f.credentials.SecretAccessKey, date, f.region, f.fields["policy"])
	return nil
}

// Signature signs a text for S3 by Signature Version 4, with the key of a date
// (YYYYMMDD) and a region.
func Signature(secret, date, region, text string) string {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date, region, "s3", "aws4_request"} {
		key = sign(key, part)
	}
	return hex.EncodeToString(sign(key, text))
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
