package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

// answer is what came out of an execution environment.
type answer struct {
	payload       []byte
	functionError string
}

// run calls the environment's handler and sets the answer, whatever that does.
func (i *Invoker) run(ctx context.Context, f *function, env *environment, payload []byte, a *answer) {
	var requestID string
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		requestID = lc.AwsRequestID
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		env.handler = nil // its process has ended
		// Without a value, the handler left by runtime.Goexit.
		value := recover()
		failure := messages.InvokeResponse_Error{Type: "Runtime.ExitError", Message: "RequestId: " + requestID + " Error: Runtime exited"}
		event := i.logger.Error().Str("function", f.Name).Str("requestId", requestID)
		if value != nil {
			failure = panicError(value)
			event = event.Str("errorType", failure.Type).Any("stackTrace", failure.StackTrace)
			// Other panics' messages may hold what the function was working on.
			if err, ok := value.(runtime.Error); ok {
				event = event.Err(err)
			}
		}
		event.Msg("function panicked")
		*a = failed(failure)
	}()
	if env.handler == nil {
		env.handler = f.newHandler()
	}
	response, err := env.handler.Invoke(ctx, payload)
	returned = true
	switch {
	case err != nil:
		*a = failed(returnedError(err))
	case len(response) > MaxResponseBytes:
		*a = failed(messages.InvokeResponse_Error{
			Type: "Function.ResponseSizeTooLarge",
			Message: fmt.Sprintf("Response payload size (%d bytes) exceeded maximum allowed payload size (%d bytes).",
				len(response), MaxResponseBytes),
		})
	default:
		a.payload = bytes.Clone(response) // the handler reuses its buffer
	}
}

func failed(e messages.InvokeResponse_Error) answer {
	payload, err := json.Marshal(e)
	if err != nil { // strings and numbers marshal
		payload = []byte(`{"errorMessage":"","errorType":"Runtime.SerializationError"}`)
	}
	return answer{payload: payload, functionError: Unhandled}
}

// returnedError is the error object for an error that the handler returned.
func returnedError(err error) messages.InvokeResponse_Error {
	var own messages.InvokeResponse_Error
	if errors.As(err, &own) {
		return own
	}
	return messages.InvokeResponse_Error{Message: err.Error(), Type: typeName(err)}
}

// panicError is the error object for a panic. It must be called by the
// deferred function that recovered the value.
func panicError(value any) messages.InvokeResponse_Error {
	const hidden, depth = 3, 32 // Callers, panicError, the deferred function
	var pcs [depth]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(hidden, pcs[:])])
	var trace []*messages.InvokeResponse_Error_StackFrame
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		// Package and file, without the machine's folders.
		_, label, _ := strings.Cut(path.Base(frame.Function), ".")
		trace = append(trace, &messages.InvokeResponse_Error_StackFrame{
			Path:  path.Join(path.Dir(frame.Function), path.Base(frame.File)),
			Line:  int32(frame.Line), //nolint:gosec // no file has 2^31 lines
			Label: label,
		})
	}
	return messages.InvokeResponse_Error{Message: fmt.Sprint(value), Type: typeName(value), StackTrace: trace}
}

// typeName is the name that Lambda gives to a Go value as an error: its type's,
// without package and pointer.
func typeName(value any) string {
	t := reflect.TypeOf(value)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// timeoutError is what Lambda answers for a function that ran out of time. It
// has no errorType.
func timeoutError(now time.Time, requestID string, timeout time.Duration) []byte {
	return fmt.Appendf(nil, `{"errorMessage":"%s %s Task timed out after %.2f seconds"}`,
		now.UTC().Format("2006-01-02T15:04:05.000Z"), requestID, timeout.Seconds())
}
