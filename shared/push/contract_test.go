package push

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
)

// The contract tests hold Push to the SDK's client: the same bytes on the wire,
// the same reading of the answer. They run on a fake clock, so that both sign
// for the same time.

const contractEndpoint = "http://127.0.0.1:8080/local"

func sdkClient(endpoint string, transport http.RoundTripper) *apigatewaymanagementapi.Client {
	return apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       "eu-central-1",
		Credentials:  testCredentials,
		HTTPClient:   &http.Client{Transport: transport},
		Retryer:      aws.NopRetryer{},
	})
}

// What only one of them sends: the SDK's bookkeeping of calls and retries. The
// user agents differ in value; neither is signed.
var onlySDK = []string{"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request"}

func TestSameBytesOnTheWire(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"R1kmxc2VNjMCFIA=", "a+b/c==", "plain-id_0.~", "@x", "a b", "100%", "%3D", "é", "../x", "a?b#c&d;e:f,g$h!i*j'k(l)m",
	} {
		for _, data := range []string{`{"type":"message","content":"こんにちは"}`, "\x00\xff", strings.Repeat("x", 32_000)} {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{}
				if _, err := sdkClient(contractEndpoint, sdkOverPipes(t, f)).PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{
					ConnectionId: &id,
					Data:         []byte(data),
				}); err != nil {
					t.Fatal(err)
				}
				p := newPusher(t, Config{Endpoint: contractEndpoint, Transport: overPipes(t, f)})
				if r := p.Push(t.Context(), []Post{{ConnectionID: id, Data: []byte(data)}})[0]; r.Err != nil {
					t.Fatal(r.Err)
				}

				sdk, ours := f.got()[0], f.got()[1]
				for _, r := range []request{sdk, ours} {
					checkSignature(t, r)
				}
				for _, name := range onlySDK {
					if ours.header.Get(name) != "" {
						t.Errorf("we send %s", name)
					}
					sdk.header.Del(name)
				}
				for _, r := range []request{sdk, ours} {
					r.header.Set("Authorization", credential(r)) // what follows depends on the headers of each
					r.header.Del("User-Agent")
				}
				if diff := cmp.Diff(sdk, ours, cmp.AllowUnexported(request{})); diff != "" {
					t.Errorf("id %q: the SDK's client sends (-), we send (+):\n%s", id, diff)
				}
				if !strings.Contains(ours.header.Get("Authorization"), "/20000101/eu-central-1/execute-api/aws4_request") {
					t.Errorf("credential scope of %q", ours.header.Get("Authorization"))
				}
			})
		}
	}
}

func TestClose_SameBytesOnTheWire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		id := "R1kmxc2VNjMCFIA="
		if _, err := sdkClient(contractEndpoint, sdkOverPipes(t, f)).DeleteConnection(t.Context(), &apigatewaymanagementapi.DeleteConnectionInput{
			ConnectionId: &id,
		}); err != nil {
			t.Fatal(err)
		}
		p := newPusher(t, Config{Endpoint: contractEndpoint, Transport: overPipes(t, f)})
		if r := p.Push(t.Context(), []Post{{ConnectionID: id, Close: true}})[0]; r.Outcome != Delivered {
			t.Fatalf("%+v", r)
		}
		sdk, ours := f.got()[0], f.got()[1]
		for _, name := range append(onlySDK, "User-Agent") {
			sdk.header.Del(name)
			ours.header.Del(name)
		}
		for _, r := range []request{sdk, ours} {
			r.header.Set("Authorization", credential(r))
		}
		if diff := cmp.Diff(sdk, ours, cmp.AllowUnexported(request{})); diff != "" {
			t.Errorf("the SDK's client sends (-), we send (+):\n%s", diff)
		}
	})
}

// credential returns the signature's algorithm and credential scope.
func credential(r request) string {
	scope, _, _ := strings.Cut(r.header.Get("Authorization"), ",")
	return scope
}

// checkSignature signs what arrived, by the headers that the signature names,
// and expects the same signature.
func checkSignature(t *testing.T, r request) {
	t.Helper()
	authorization := r.header.Get("Authorization")
	_, rest, _ := strings.Cut(authorization, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	for _, name := range []string{"host", "content-length", "content-type", "x-amz-date", "x-amz-security-token"} {
		if !strings.Contains(";"+names+";", ";"+name+";") {
			t.Errorf("%s isn't signed: %s", name, names)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, "http://"+r.host+r.uri, bytes.NewReader([]byte(r.body)))
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.SplitSeq(names, ";") {
		if v := r.header.Get(name); v != "" {
			req.Header.Set(name, v)
		}
	}
	at, err := time.Parse("20060102T150405Z", r.header.Get("X-Amz-Date"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(r.body))
	credentials, err := testCredentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, req, hex.EncodeToString(sum[:]), "execute-api", "eu-central-1", at); err != nil {
		t.Fatal(err)
	}
	if want := req.Header.Get("Authorization"); authorization != want {
		t.Errorf("the signature of %s is\n%s, want\n%s", r.uri, authorization, want)
	}
}

// Workers remember the last frame's hash; it must not sign another frame.
func TestEveryFrameIsSignedForItself(t *testing.T) {
	t.Parallel()
	f := &fake{}
	p := overLoopback(t, f)
	shared := []byte("frame-shared")
	var posts []Post
	for i := range 4 * Workers {
		frame := shared
		if i%3 == 0 {
			frame = fmt.Appendf(nil, "frame-%06d", i)
		}
		posts = append(posts, Post{ConnectionID: strconv.Itoa(i), Data: frame})
	}
	for i, r := range p.Push(t.Context(), posts) {
		if r.Outcome != Delivered {
			t.Errorf("post %d: %+v", i, r)
		}
	}
	for _, r := range f.got() {
		checkSignature(t, r)
	}
}

func TestEveryByteOfAnIDIsEscapedAsTheSDKDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		client := sdkClient(contractEndpoint, sdkOverPipes(t, f))
		p := newPusher(t, Config{Endpoint: contractEndpoint, Transport: overPipes(t, f)})
		for c := range 256 {
			id := "a" + string([]byte{byte(c)}) + "b"
			if _, err := client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")}); err != nil {
				t.Fatalf("SDK, byte %d: %v", c, err)
			}
			if r := p.Push(t.Context(), []Post{{ConnectionID: id, Data: []byte("x")}})[0]; r.Err != nil {
				t.Fatalf("byte %d: %v", c, r.Err)
			}
			got := f.got()
			sdk, ours := got[len(got)-2].uri, got[len(got)-1].uri
			if sdk != ours {
				t.Errorf("byte %d: the SDK's client posts to %s, we to %s", c, sdk, ours)
			}
			if decoded, err := url.PathUnescape(ours); err != nil || decoded != "/local/@connections/"+id {
				t.Errorf("byte %d: %s decodes to %q, %v", c, ours, decoded, err)
			}
		}
	})
}

// outcomeOf is how a caller of the SDK's client tells the outcomes apart: by
// type, and by status where the SDK finds no type.
func outcomeOf(err error) Outcome {
	var gone *types.GoneException
	switch {
	case err == nil:
		return Delivered
	case errors.As(err, &gone) || statusOf(err) == http.StatusGone:
		return Gone
	}
	return Undelivered
}

func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return 0
	}
	return response.HTTPStatusCode()
}

func TestSameReadingOfAnswers(t *testing.T) {
	t.Parallel()
	statuses := []int{200, 201, 204, 302, 400, 403, 404, 410, 413, 429, 500, 502, 503}
	errTypes := []string{"", "GoneException", "ForbiddenException:http://x/", "com.amazonaws#LimitExceededException", "PayloadTooLargeException", "BadRequestException"}
	bodies := []string{
		"", "{}", `{"message":"no"}`, `{"Message":"no"}`, `{"__type":"GoneException"}`, `{"__type":"x#ForbiddenException","message":"no"}`,
		`{"code":"LimitExceededException"}`, `{"code":410}`, "null", "[]", "Gone", "<html>", `{"message":`, strings.Repeat(" ", 5000) + "{}",
	}
	var answers []answer
	for _, status := range statuses {
		for _, errType := range errTypes {
			for _, body := range bodies {
				answers = append(answers, answer{status, errType, body})
			}
		}
	}
	f := &fake{answer: func(_ *http.Request, id string, _ int) answer {
		i, _ := strconv.Atoi(id)
		return answers[i]
	}}

	// Not over pipes: the client closes a request's body as soon as an answer
	// begins, which without a socket's buffers breaks the connection at times.
	server := httptest.NewServer(f)
	defer server.Close()
	transport := newProxied()
	defer transport.CloseIdleConnections()
	client := sdkClient(server.URL+"/local", transport)
	errs := make([]error, len(answers))
	var posts []Post
	for i := range answers {
		id := strconv.Itoa(i)
		posts = append(posts, postsTo(id)...)
		_, errs[i] = client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
	}

	synctest.Test(t, func(t *testing.T) { // retries are ours only, and cost no time here
		p := newPusher(t, Config{Transport: overPipes(t, f)})
		for i, r := range p.Push(t.Context(), posts) {
			if want := outcomeOf(errs[i]); r.Outcome != want || outcomeOf(r.Err) != want {
				t.Errorf("%.80v: outcome %v, want %v (%v; SDK: %v)", answers[i], r.Outcome, want, r.Err, errs[i])
			}
			if got, want := statusOf(r.Err), statusOf(errs[i]); got != want {
				t.Errorf("%.80v: status %d in %v, want %d", answers[i], got, r.Err, want)
			}
			if got, want := apiError(r.Err), apiError(errs[i]); want != "" && got != want {
				t.Errorf("%.80v: error %s, want %s", answers[i], got, want)
			}
		}
	})
}

// apiError returns the type, code and message of the SDK's exception in err,
// and nothing if the SDK found none.
func apiError(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
		return ""
	}
	return fmt.Sprintf("%T %s %s", api, api.ErrorCode(), api.ErrorMessage())
}

// A clock that is wrong is corrected as the SDK's client does: which requests are
// made, and by which clock they are signed.
func TestSameCorrectionOfTheClock(t *testing.T) {
	t.Parallel()
	for _, ahead := range []time.Duration{-time.Hour, -5 * time.Minute, -3 * time.Minute, 3 * time.Minute, 5 * time.Minute, time.Hour} {
		for _, errType := range []string{
			"AccessDeniedException", "InvalidSignatureException", "SignatureDoesNotMatch", "RequestTimeTooSkewed", "AuthFailure",
		} {
			for _, always := range []bool{true, false} { // refuse all, or those signed at a wrong time
				synctest.Test(t, func(t *testing.T) {
					signed := func(connect func(handler http.Handler) (post func(id string))) (at []string) {
						handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							date, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
							if err != nil {
								t.Error(err)
							}
							wrong := time.Now().Add(ahead).Sub(date)
							at = append(at, fmt.Sprint(r.URL.Path, " ", time.Until(date).Round(time.Minute)))
							w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
							if always || wrong.Abs() > 4*time.Minute {
								w.Header().Set("X-Amzn-ErrorType", errType)
								w.WriteHeader(http.StatusForbidden)
							}
						})
						post := connect(handler)
						for _, id := range []string{"first", "second"} {
							post(id)
						}
						return at
					}
					sdk := signed(func(handler http.Handler) func(string) {
						client := apigatewaymanagementapi.New(apigatewaymanagementapi.Options{
							BaseEndpoint: aws.String(contractEndpoint), Region: "eu-central-1", Credentials: testCredentials,
							HTTPClient: &http.Client{Transport: sdkOverPipes(t, handler)}, RetryMaxAttempts: 2,
						})
						return func(id string) {
							_, _ = client.PostToConnection(t.Context(), &apigatewaymanagementapi.PostToConnectionInput{ConnectionId: &id, Data: []byte("x")})
						}
					})
					ours := signed(func(handler http.Handler) func(string) {
						p := newPusher(t, Config{Endpoint: contractEndpoint, Transport: overPipes(t, handler)})
						return func(id string) { p.Push(t.Context(), postsTo(id)) }
					})
					if diff := cmp.Diff(sdk, ours); diff != "" && ahead.Abs() > 4*time.Minute {
						t.Errorf("%v ahead, %s, always %t: the SDK's client sends (-), we send (+):\n%s", ahead, errType, always, diff)
					}
					if len(ours) != len(sdk) {
						t.Errorf("%v ahead, %s, always %t: %d requests, the SDK's client makes %d", ahead, errType, always, len(ours), len(sdk))
					}
				})
			}
		}
	}
}
