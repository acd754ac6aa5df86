package objects

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what S3 answers as ETag
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxFields bounds what a form has before its file, in bytes (Amazon S3 API Reference,
// "POST Object").
const maxFields = 20_000

// maxUpload bounds what a form may have signed, as it is read into memory.
const maxUpload = 320 << 20

// upload stores the file of a form, if the form is signed and the file is what its policy
// asks for.
func (s *Store) upload(w http.ResponseWriter, r *http.Request) error {
	reader, err := r.MultipartReader()
	if err != nil {
		return refusal{http.StatusPreconditionFailed, "PreconditionFailed", "Bucket POST must be of the enclosure-type multipart/form-data"}
	}
	fields, file, err := readFields(reader)
	if err != nil {
		return err
	}
	sizes, err := s.checkForm(fields)
	if err != nil {
		return err
	}
	content, err := io.ReadAll(io.LimitReader(file, sizes.most+1))
	switch {
	case err != nil:
		return refusal{http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header."}
	case int64(len(content)) > sizes.most:
		return refusal{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size"}
	case int64(len(content)) < sizes.least:
		return refusal{http.StatusBadRequest, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"}
	}
	metadata := map[string]string{"Content-Type": fields["content-type"], "Last-Modified": s.c.Now().UTC().Format(http.TimeFormat)}
	if _, err := s.backend.PutObject(s.c.Bucket, fields["key"], metadata, bytes.NewReader(content), int64(len(content)), nil); err != nil {
		return fmt.Errorf("store %s: %w", fields["key"], err)
	}
	hash := md5.Sum(content) //nolint:gosec // as above
	w.Header().Set("ETag", `"`+hex.EncodeToString(hash[:])+`"`)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// readFields reads a form up to its file, which is last: S3 ignores what follows it.
func readFields(reader *multipart.Reader) (fields map[string]string, file io.Reader, err error) {
	fields = map[string]string{}
	for left := int64(maxFields); ; {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, nil, errArgument("POST requires exactly one file upload per request.")
		}
		if err != nil {
			return nil, nil, refusal{http.StatusBadRequest, "MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data."}
		}
		name := strings.ToLower(part.FormName())
		if name == "file" {
			return fields, part, nil
		}
		value, err := io.ReadAll(io.LimitReader(part, left+1))
		if left -= int64(len(value)); err != nil || left < 0 {
			return nil, nil, refusal{http.StatusBadRequest, "MaxPostPreDataLengthExceededError", "Your POST request fields preceding the upload file were too large."}
		}
		fields[name] = string(value)
	}
}

// sizes are those that a policy allows.
type sizes struct{ least, most int64 }

// checkForm checks a form's signature and its fields against its policy.
func (s *Store) checkForm(fields map[string]string) (sizes, error) {
	if err := checkSigned(fields); err != nil {
		return sizes{}, err
	}
	if err := s.checkCredential(fields["x-amz-credential"], fields["x-amz-security-token"], fields["x-amz-date"]); err != nil {
		if refused := (refusal{}); errors.As(err, &refused) && refused.code == errParameters {
			return sizes{}, errArgument("the X-Amz-Credential or the X-Amz-Date is invalid")
		}
		return sizes{}, err
	}
	day, _, _ := strings.Cut(fields["x-amz-date"], "T")
	if subtle.ConstantTimeCompare([]byte(s.formSignature(day, fields["policy"])), []byte(fields["x-amz-signature"])) != 1 {
		return sizes{}, errSignature()
	}
	var policy struct {
		Expiration time.Time
		Conditions []json.RawMessage
	}
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	if err != nil || json.Unmarshal(text, &policy) != nil {
		return sizes{}, refusal{http.StatusBadRequest, "InvalidPolicyDocument", "Invalid Policy: Invalid JSON."}
	}
	if !s.c.Now().Before(policy.Expiration) {
		return sizes{}, errPolicy("Policy expired.")
	}
	allowed := sizes{most: maxUpload}
	covered := map[string]bool{"policy": true, "x-amz-signature": true}
	for _, raw := range policy.Conditions {
		name, err := s.checkCondition(raw, fields, &allowed)
		if err != nil {
			return sizes{}, err
		}
		covered[name] = true
	}
	for name := range fields {
		if !covered[name] {
			return sizes{}, errPolicy("Extra input fields: " + name)
		}
	}
	if !covered["bucket"] {
		return sizes{}, errPolicy("Policy Condition failed: want the bucket")
	}
	return allowed, nil
}

// checkSigned checks that a form has all that a signed one has.
func checkSigned(fields map[string]string) error {
	missing := func(name string) bool { return fields[name] == "" }
	signed := []string{"policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"}
	i := slices.IndexFunc(signed, missing)
	switch {
	case missing("key"):
		return errMissing("key")
	case i >= 0 && !slices.ContainsFunc(signed, func(name string) bool { return !missing(name) }):
		return refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case i >= 0:
		return errMissing(signed[i])
	case fields["x-amz-algorithm"] != algorithm:
		return errArgument("X-Amz-Algorithm only supports " + algorithm)
	}
	return nil
}

func errMissing(field string) error {
	return errArgument("Bucket POST must contain a field named '" + field + "'. If it is specified, please check the order of the fields.")
}

func errArgument(why string) error { return refusal{http.StatusBadRequest, "InvalidArgument", why} }

// checkCondition holds a form to a condition of its policy, and returns the field that
// this is about. It knows exact matches and the range of sizes: what is not known is
// refused.
func (s *Store) checkCondition(raw json.RawMessage, fields map[string]string, allowed *sizes) (field string, err error) {
	failed := errPolicy("Policy Condition failed: " + string(raw))
	var exact map[string]string
	var list []any
	switch {
	case json.Unmarshal(raw, &exact) == nil && len(exact) == 1:
		for name, value := range exact {
			list = []any{"eq", "$" + name, value}
		}
	case json.Unmarshal(raw, &list) != nil || len(list) != 3:
		return "", failed
	}
	if list[0] == "content-length-range" {
		least, ok := list[1].(float64)
		most, ok2 := list[2].(float64)
		if !ok || !ok2 || most > maxUpload {
			return "", failed
		}
		*allowed = sizes{int64(least), int64(most)}
		return "", nil
	}
	name, _ := list[1].(string)
	value, ok := list[2].(string)
	name = strings.ToLower(strings.TrimPrefix(name, "$"))
	given := fields[name]
	if name == "bucket" {
		given = s.c.Bucket
	}
	if list[0] != "eq" || !ok || given != value {
		return "", failed
	}
	return name, nil
}

func errPolicy(why string) error {
	return refusal{http.StatusForbidden, "AccessDenied", "Invalid according to Policy: " + why}
}

// formSignature signs a policy (Amazon S3 API Reference, "Authenticating Requests in
// Browser-Based Uploads Using POST").
func (s *Store) formSignature(day, policy string) string {
	key := []byte("AWS4" + s.c.Credentials.SecretAccessKey)
	for _, part := range []string{day, s.c.Region, "s3", "aws4_request", policy} {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(part))
		key = mac.Sum(nil)
	}
	return hex.EncodeToString(key)
}
