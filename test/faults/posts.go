package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Posts wraps a function's way to @connections in the plan's faults of posts.
// Other requests pass.
//
// A 410 comes with delivery, as API Gateway has been seen to answer; the local
// gateway answers the 410s of connections that are gone, or whose handshake
// isn't over, by itself. What a 410 of a living connection means for it is the
// product's choice: one that is past the handshake's grace is dropped, and gets
// nothing until its client pings or sends. Injector.Gone tells which.
func (in *Injector) Posts(function string, next http.RoundTripper) http.RoundTripper {
	return transport(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			return next.RoundTrip(r)
		}
		decided := in.decide(call{SeamPosts, function, ""}, in.postChances())
		switch decided.fault {
		case "", twice, slow, unanswered: // it arrives, or the caller is told to try again
		default:
			in.disturb(connectionID(r), decided.fault == gone)
		}
		switch decided.fault {
		case gone:
			carriedOut(next.RoundTrip(r))
			return answer(r, http.StatusGone, "GoneException"), nil
		case throttled:
			discard(r)
			return answer(r, http.StatusTooManyRequests, "LimitExceededException"), nil
		case failed, outage:
			discard(r)
			return answer(r, http.StatusInternalServerError, "InternalServerErrorException"), nil
		case forbidden:
			discard(r)
			return answer(r, http.StatusForbidden, "ForbiddenException"), nil
		case reset:
			discard(r)
			return nil, errReset
		case unanswered:
			carriedOut(next.RoundTrip(r))
			return nil, errReset
		case hang:
			discard(r)
			<-r.Context().Done()
			return nil, r.Context().Err()
		case lost:
			discard(r)
			return answer(r, http.StatusOK, ""), nil
		case twice:
			return postTwice(r, next)
		case slow:
			if err := in.delay(r.Context(), decided.random); err != nil {
				in.disturb(connectionID(r), false)
				discard(r)
				return nil, err
			}
		}
		return next.RoundTrip(r)
	})
}

func (in *Injector) postChances() []chance {
	rates := in.plan.Posts
	return []chance{
		{gone, rates.Gone},
		{throttled, rates.Throttled},
		{failed, rates.Failed},
		{forbidden, rates.Forbidden},
		{reset, rates.Reset},
		{unanswered, rates.Unanswered},
		{hang, rates.Hang},
		{lost, rates.Lost},
		{twice, rates.Twice},
		{slow, rates.Slow},
	}
}

func postTwice(r *http.Request, next http.RoundTripper) (*http.Response, error) {
	defer discard(r)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read a post: %w", err)
	}
	first, second := r.Clone(r.Context()), r.Clone(r.Context())
	first.Body, second.Body = io.NopCloser(bytes.NewReader(body)), io.NopCloser(bytes.NewReader(body))
	carriedOut(next.RoundTrip(first))
	return next.RoundTrip(second)
}

// connectionID is the connection that a request is about.
func connectionID(r *http.Request) string {
	path := r.URL.EscapedPath()
	id, err := url.PathUnescape(path[strings.LastIndexByte(path, '/')+1:])
	if err != nil {
		return ""
	}
	return id
}

// answer is one of the management API's. SDKs go by the type in its header.
func answer(r *http.Request, status int, errorType string) *http.Response {
	response := respond(r, status, nil)
	response.Header = http.Header{}
	if errorType != "" {
		response.Header.Set("X-Amzn-Errortype", errorType)
	}
	return response
}
