package sigv4_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/encoding/httpbinding"

	"github.com/streamroom/streamroom/shared/sigv4"
)

// request is a random one, signed by the SDK and by us.
func signBoth(t *testing.T, ours *sigv4.Signer, random *rand.Rand) (sdk, got string) {
	t.Helper()
	text := func(from string, most int) string {
		out := make([]byte, random.IntN(most+1))
		for i := range out {
			out[i] = from[random.IntN(len(from))]
		}
		return string(out)
	}
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	credentials := aws.Credentials{AccessKeyID: "AKID" + text(letters, 2), SecretAccessKey: "s" + text(letters+"/+=", 60), SessionToken: text(letters+"/+=", 900)}
	at := time.Unix(random.Int64N(4e9), 0)
	path := "/" + string(sigv4.AppendEscaped(nil, text(letters+"/@ %?é=+", 80), false))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://service.example"+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	headers := []sigv4.Header{{"host", "service.example"}, {"x-amz-date", sigv4.Date(at)}}
	if credentials.SessionToken != "" {
		headers = append(headers, sigv4.Header{Name: "x-amz-security-token", Value: credentials.SessionToken})
	}
	for i := range random.IntN(4) {
		h := sigv4.Header{Name: fmt.Sprint("x-h", i), Value: text(letters+"/;=", 40)}
		r.Header.Set(h.Name, h.Value)
		headers = append(headers, h)
	}
	slices.SortFunc(headers, func(a, b sigv4.Header) int { return strings.Compare(a.Name, b.Name) })
	hash := text("0123456789abcdef", 64)
	if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hash, "execute-api", "eu-central-1", at); err != nil {
		t.Fatal(err)
	}
	return r.Header.Get("Authorization"), ours.Authorization(credentials, sigv4.Date(at), sigv4.Request{
		Method: http.MethodPost, Path: sigv4.AppendEscaped(nil, path, true), Headers: headers, SHA256: hash,
	})
}

func TestAuthorization_AsTheSDKSigns(t *testing.T) {
	t.Parallel()
	random, signer := rand.New(rand.NewPCG(1, 2)), sigv4.New("execute-api", "eu-central-1")
	for range 2_000 {
		if sdk, got := signBoth(t, signer, random); got != sdk {
			t.Fatalf("the SDK signs\n%s\nwe\n%s", sdk, got)
		}
	}
}

func TestAppendEscaped_AsTheSDKDoes(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		for _, slashes := range []bool{false, true} {
			text := "a" + string([]byte{byte(c)}) + "b"
			if got, want := string(sigv4.AppendEscaped(nil, text, slashes)), httpbinding.EscapePath(text, !slashes); got != want {
				t.Errorf("%q: %s, want %s", text, got, want)
			}
		}
	}
}

func TestAuthorization_AllocatesItsTextOnly(t *testing.T) {
	signer, credentials, date := sigv4.New("dynamodb", "us-east-1"), aws.Credentials{AccessKeyID: "AKID", SecretAccessKey: "s"}, sigv4.Date(time.Now())
	r := sigv4.Request{Method: http.MethodPost, Path: []byte("/"), Headers: []sigv4.Header{{"host", "h"}, {"x-amz-date", date}}, SHA256: strings.Repeat("0", 64)}
	if n := testing.AllocsPerRun(100, func() { signer.Authorization(credentials, date, r) }); n > 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}
