package push

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// maxSkew is how far the signing time may be from the service's before a refusal
// is put down to it, as in the SDK (aws/retry/middleware.go of aws-sdk-go-v2
// v1.47.7, skewThreshold). Signatures are valid for five minutes.
const maxSkew = 4 * time.Minute

// skewCodes are the errors besides those of status 403 that a wrong clock causes,
// as in the SDK.
var skewCodes = map[string]bool{
	"InvalidSignatureException": true,
	"SignatureDoesNotMatch":     true,
	"AuthFailure":               true,
	"RequestTimeTooSkewed":      true,
	"AccessDeniedException":     true,
}

// skew is how far the service's clock is ahead of ours, in ns, as the last refusal
// showed.
type skew struct{ ns atomic.Int64 }

func (s *skew) get() time.Duration { return time.Duration(s.ns.Load()) }

// correct takes over the service's clock if err is a refusal whose Date shows that
// a request which was signed with the skew `used` was signed at a wrong time. It
// reports whether the request may succeed now.
func (s *skew) correct(err error, used time.Duration, now time.Time) bool {
	var response *awshttp.ResponseError
	if !errors.As(err, &response) {
		return false
	}
	var api smithy.APIError
	known := errors.As(err, &api) && skewCodes[api.ErrorCode()]
	if !known && response.HTTPStatusCode() != http.StatusForbidden {
		return false
	}
	header := response.HTTPResponse().Header
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil || header.Get("Age") != "" { // an Age means that a cache answered
		return false
	}
	ahead := date.Sub(now)
	if (ahead - used).Abs() <= maxSkew {
		return false
	}
	s.ns.Store(int64(ahead))
	return true
}
