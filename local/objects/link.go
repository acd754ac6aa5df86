package objects

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// algorithm is how forms and links are signed.
const algorithm = "AWS4-HMAC-SHA256"

// errParameters is the code of a link that is not signed as links are.
const errParameters = "AuthorizationQueryParametersError"

// dateForm is how Signature Version 4 writes times.
const dateForm = "20060102T150405Z"

// longest is how long a link may be valid (Amazon S3 API Reference, "Authenticating
// Requests: Using Query Parameters").
const longest = 7 * 24 * time.Hour

// checkLink checks a presigned link: its signature, by AWS's own signer, and its time.
func (s *Store) checkLink(r *http.Request) error {
	query := r.URL.Query()
	given := query.Get("X-Amz-Signature")
	parameters := []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}
	switch {
	case !slices.ContainsFunc(parameters, query.Has):
		return refusal{http.StatusForbidden, "AccessDenied", "Access Denied"}
	case slices.ContainsFunc(parameters, func(name string) bool { return query.Get(name) == "" }):
		return refusal{http.StatusBadRequest, errParameters, "Query-string authentication version 4 requires the " +
			strings.Join(parameters, ", ") + " parameters."}
	case query.Get("X-Amz-Algorithm") != algorithm:
		return refusal{http.StatusBadRequest, errParameters, "X-Amz-Algorithm only supports " + algorithm}
	}
	if query.Get("X-Amz-SignedHeaders") != "host" {
		return refusal{http.StatusForbidden, "AccessDenied", "There were headers present in the request which were not signed"}
	}
	date, err := time.Parse(dateForm, query.Get("X-Amz-Date"))
	seconds, err2 := strconv.Atoi(query.Get("X-Amz-Expires"))
	life := time.Duration(seconds) * time.Second
	if err != nil || err2 != nil || seconds < 1 || life > longest {
		return refusal{http.StatusBadRequest, errParameters, "X-Amz-Date or X-Amz-Expires is invalid"}
	}
	if err := s.checkCredential(query.Get("X-Amz-Credential"), query.Get("X-Amz-Security-Token"), query.Get("X-Amz-Date")); err != nil {
		return err
	}
	want, err := s.linkSignature(r, query, date)
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		return errSignature()
	}
	if now := s.c.Now(); !now.Before(date.Add(life)) {
		return refusal{http.StatusForbidden, "AccessDenied", "Request has expired"}
	}
	return nil
}

// linkSignature signs a link once more, as of its date.
func (s *Store) linkSignature(r *http.Request, query url.Values, date time.Time) (string, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Security-Token"} {
		query.Del(name) // the signer adds its own
	}
	unsigned := url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}
	request, err := http.NewRequestWithContext(r.Context(), r.Method, unsigned.String(), nil)
	if err != nil {
		return "", fmt.Errorf("read the link: %w", err)
	}
	signed, _, err := s.signer.PresignHTTP(r.Context(), s.c.Credentials, request, "UNSIGNED-PAYLOAD", "s3", s.c.Region, date)
	if err != nil {
		return "", fmt.Errorf("sign the link: %w", err)
	}
	parsed, err := url.Parse(signed)
	if err != nil {
		return "", fmt.Errorf("read the signed link: %w", err)
	}
	return parsed.Query().Get("X-Amz-Signature"), nil
}

// checkCredential checks who signed, and for what.
func (s *Store) checkCredential(credential, token, date string) error {
	id, scope, _ := strings.Cut(credential, "/")
	day, _, _ := strings.Cut(date, "T")
	switch {
	case id != s.c.Credentials.AccessKeyID:
		return refusal{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	case token != s.c.Credentials.SessionToken:
		return refusal{http.StatusBadRequest, "InvalidToken", "The provided token is malformed or otherwise invalid."}
	case scope != day+"/"+s.c.Region+"/s3/aws4_request":
		return refusal{http.StatusBadRequest, errParameters, "Error parsing the X-Amz-Credential parameter"}
	}
	return nil
}

func errSignature() error {
	return refusal{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method."}
}
