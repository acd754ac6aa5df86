// Package sigv4 signs requests to one service by AWS's Signature Version 4 (IAM User
// Guide, "Create a signed AWS API request").
//
// It is for callers who write the same few headers in each of many requests, and know
// which: aws/signer/v4 of the SDK takes any request, and so copies it, sorts its headers
// and joins them, with fifty allocations. The tests hold both to the same signatures.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// timeFormat is that of the header X-Amz-Date.
const timeFormat = "20060102T150405Z"

// Signer signs requests to one service in one region. It is safe for concurrent use.
type Signer struct {
	service, region string
	last            atomic.Pointer[key]
}

// IsAnonymous reports whether credentials leave signatures out, for a service in this
// process.
func IsAnonymous(c aws.CredentialsProvider) bool {
	return aws.IsCredentialsProvider(c, (*aws.AnonymousCredentials)(nil))
}

// New returns a Signer of requests to a service, by the name that credential scopes have
// for it, such as execute-api.
func New(service, region string) *Signer { return &Signer{service: service, region: region} }

// Header is a header that is signed.
type Header struct {
	Name  string // in lower case
	Value string // as it is sent: without spaces around it, or two in a row
}

// Request is what is signed of a request without a query.
type Request struct {
	Method  string
	Path    []byte   // as it is sent, and then escaped once more
	Headers []Header // sorted by name
	SHA256  string   // of the body, in hexadecimal digits
}

// Date returns the header X-Amz-Date of a request that is signed for a time.
func Date(at time.Time) string { return at.UTC().Format(timeFormat) }

// Authorization returns the header of a request, among whose headers is a Date.
func (s *Signer) Authorization(c aws.Credentials, date string, r Request) string {
	k := s.key(c, date[:8])
	var space [4096]byte
	text := r.append(space[:0])
	hash := sha256.Sum256(text)

	text = append(text[:0], "AWS4-HMAC-SHA256\n"...)
	text = append(text, date...)
	text = append(text, '\n')
	text = append(text, k.scope...)
	text = append(text, '\n')
	text = hex.AppendEncode(text, hash[:])
	signature := k.sign(text)

	text = append(text[:0], "AWS4-HMAC-SHA256 Credential="...)
	text = append(text, k.accessKeyID...)
	text = append(text, '/')
	text = append(text, k.scope...)
	text = append(text, ", SignedHeaders="...)
	text = appendNames(text, r.Headers)
	text = append(text, ", Signature="...)
	return string(hex.AppendEncode(text, signature[:]))
}

// append appends the canonical request.
func (r Request) append(dst []byte) []byte {
	dst = append(dst, r.Method...)
	dst = append(dst, '\n')
	dst = append(dst, r.Path...)
	dst = append(dst, "\n\n"...)
	for _, h := range r.Headers {
		dst = append(dst, h.Name...)
		dst = append(dst, ':')
		dst = append(dst, h.Value...)
		dst = append(dst, '\n')
	}
	dst = append(dst, '\n')
	dst = appendNames(dst, r.Headers)
	dst = append(dst, '\n')
	return append(dst, r.SHA256...)
}

func appendNames(dst []byte, headers []Header) []byte {
	for i, h := range headers {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(dst, h.Name...)
	}
	return dst
}

// key signs for a day.
type key struct {
	accessKeyID, secret, day string

	scope        string
	inner, outer [sha256.BlockSize]byte // what HMAC hashes before a text, and before its hash
}

// key returns the one derived last if it serves, which it does for a day.
func (s *Signer) key(c aws.Credentials, day string) *key {
	if k := s.last.Load(); k != nil && k.day == day && k.accessKeyID == c.AccessKeyID && k.secret == c.SecretAccessKey {
		return k
	}
	k := &key{
		accessKeyID: c.AccessKeyID, secret: c.SecretAccessKey, day: day,
		scope: day + "/" + s.region + "/" + s.service + "/aws4_request",
	}
	derived := []byte("AWS4" + c.SecretAccessKey)
	for _, part := range []string{day, s.region, s.service, "aws4_request"} {
		mac := hmac.New(sha256.New, derived)
		mac.Write([]byte(part))
		derived = mac.Sum(nil)
	}
	copy(k.inner[:], derived)
	copy(k.outer[:], derived)
	for i := range k.inner {
		k.inner[i] ^= 0x36 // RFC 2104, section 2
		k.outer[i] ^= 0x5c
	}
	s.last.Store(k)
	return k
}

// sign is HMAC-SHA256 of a text of at most 200 bytes, as all texts here are.
func (k *key) sign(text []byte) [sha256.Size]byte {
	var space [sha256.BlockSize + 256]byte
	inner := sha256.Sum256(append(append(space[:0], k.inner[:]...), text...))
	return sha256.Sum256(append(append(space[:0], k.outer[:]...), inner[:]...))
}

// AppendEscaped appends a path, with everything but unreserved characters escaped: of
// RFC 3986, section 2.3, and slashes, too, if they only part it.
func AppendEscaped(dst []byte, path string, slashes bool) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(path) {
		c := path[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '.' || c == '_' || c == '~' || c == '/' && slashes {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', digits[c>>4], digits[c&15])
	}
	return dst
}
