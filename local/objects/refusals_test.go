package objects_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/objects"
)

const content = "a picture"

// attachment returns one of its own for each test.
func attachment(t *testing.T) chat.Attachment {
	t.Helper()
	id := strings.NewReplacer("/", "-", " ", "-", "_", "-", ",", "").Replace(t.Name())
	return chat.Attachment{
		RoomID: "01ROOM",
		File:   chat.File{ID: id, Name: "tea.png", ContentType: "image/png", Size: int64(len(content))},
	}
}

// changed returns a signature with another last digit.
func changed(signature string) string {
	last := "0"
	if strings.HasSuffix(signature, last) {
		last = "1"
	}
	return signature[:len(signature)-1] + last
}

// without returns a change that leaves out a field.
func without(name string) func(map[string]string) {
	return func(fields map[string]string) { delete(fields, name) }
}

// with returns a change that sets a field.
func with(name, value string) func(map[string]string) {
	return func(fields map[string]string) { fields[name] = value }
}

// resize lets a policy allow more, without a new signature.
func resize(fields map[string]string) {
	policy, _ := base64.StdEncoding.DecodeString(fields["policy"])
	fields["policy"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(policy), "9,9]", "9,99]", 1)))
}

func TestForm(t *testing.T) {
	none := "\x00"
	tests := []struct {
		name   string
		change func(fields map[string]string)
		file   string // "" for the right one, none for no file
		signed time.Duration
		status int
		code   string
	}{
		{name: "right", status: 204},
		{name: "a byte too small", file: content[1:], status: 400, code: "EntityTooSmall"},
		{name: "a byte too large", file: content + "s", status: 400, code: "EntityTooLarge"},
		{name: "another type", change: with("Content-Type", "text/html"), status: 403, code: "AccessDenied"},
		{name: "another key", change: with("key", "pending/01ROOM/another"), status: 403, code: "AccessDenied"},
		{name: "a key of messages", change: with("key", "rooms/01ROOM/another"), status: 403, code: "AccessDenied"},
		{name: "expired", signed: -11 * time.Minute, status: 403, code: "AccessDenied"},
		{name: "about to expire", signed: -9 * time.Minute, status: 204},
		{name: "a changed policy", change: resize, status: 403, code: "SignatureDoesNotMatch"},
		{name: "a changed signature", change: func(fields map[string]string) {
			fields["x-amz-signature"] = changed(fields["x-amz-signature"])
		}, status: 403, code: "SignatureDoesNotMatch"},
		{name: "another date", change: func(fields map[string]string) {
			fields["x-amz-date"] = changed(strings.TrimSuffix(fields["x-amz-date"], "Z")) + "Z"
		}, status: 403, code: "AccessDenied"},
		{name: "another signer", change: func(fields map[string]string) {
			fields["x-amz-credential"] = strings.Replace(fields["x-amz-credential"], accessKey, "another", 1)
		}, status: 403, code: "InvalidAccessKeyId"},
		{name: "another region", change: func(fields map[string]string) {
			fields["x-amz-credential"] = strings.Replace(fields["x-amz-credential"], region, "eu-west-1", 1)
		}, status: 400, code: "InvalidArgument"},
		{name: "another algorithm", change: with("x-amz-algorithm", "AWS4-HMAC-SHA1"), status: 400, code: "InvalidArgument"},
		{name: "without type", change: without("Content-Type"), status: 403, code: "AccessDenied"},
		{name: "without key", change: without("key"), status: 400, code: "InvalidArgument"},
		{name: "without policy", change: without("policy"), status: 400, code: "InvalidArgument"},
		{name: "without signature", change: without("x-amz-signature"), status: 400, code: "InvalidArgument"},
		{name: "without credential", change: without("x-amz-credential"), status: 400, code: "InvalidArgument"},
		{name: "without date", change: without("x-amz-date"), status: 400, code: "InvalidArgument"},
		{name: "without algorithm", change: without("x-amz-algorithm"), status: 400, code: "InvalidArgument"},
		{name: "unsigned", change: func(fields map[string]string) {
			maps.DeleteFunc(fields, func(name, _ string) bool { return name != "key" && name != "Content-Type" })
		}, status: 403, code: "AccessDenied"},
		{name: "another field", change: with("Cache-Control", "no-store"), status: 403, code: "AccessDenied"},
		{name: "without file", file: none, status: 400, code: "InvalidArgument"},
	}
	for name, open := range servers {
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				s := open(t)
				a, signed := attachment(t), time.Now().Add(test.signed)
				form, err := s.files.SignUpload(t.Context(), a, signed, signed.Add(10*time.Minute))
				if err != nil {
					t.Fatal(err)
				}
				if test.change != nil {
					test.change(form.Fields)
				}
				sent := content
				if test.file != "" {
					sent = test.file
				}
				file := &sent
				if sent == none {
					file = nil
				}
				if status, code := post(t.Context(), t, form, file); status != test.status || code != test.code {
					t.Errorf("got %d %s, want %d %s", status, code, test.status, test.code)
				}
				for _, key := range []string{objects.PendingKey(a.RoomID, a.ID), "pending/01ROOM/another", "rooms/01ROOM/another"} {
					if want := test.status == 204 && strings.HasSuffix(key, a.ID); s.exists(t, key) != want {
						t.Errorf("%s exists: %v, want %v", key, !want, want)
					}
				}
			})
		}
	}
}

func TestLink(t *testing.T) {
	query := func(change func(url.Values)) func(*http.Request) {
		return func(r *http.Request) {
			values := r.URL.Query()
			change(values)
			r.URL.RawQuery = values.Encode()
		}
	}
	method := func(name string) func(*http.Request) { return func(r *http.Request) { r.Method = name } }
	tests := []struct {
		name   string
		change func(*http.Request)
		signed time.Duration
		status int
		code   string
	}{
		{name: "right", status: 200},
		{name: "about to expire", signed: -4 * time.Minute, status: 200},
		{name: "expired", signed: -6 * time.Minute, status: 403, code: "AccessDenied"},
		{name: "a longer life", change: query(func(q url.Values) { q.Set("X-Amz-Expires", "301") }), status: 403, code: "SignatureDoesNotMatch"},
		{name: "a life over a week", change: query(func(q url.Values) { q.Set("X-Amz-Expires", "604801") }), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "another type", change: query(func(q url.Values) { q.Set("response-content-type", "text/html") }), status: 403, code: "SignatureDoesNotMatch"},
		{name: "another disposition", change: query(func(q url.Values) { q.Set("response-content-disposition", "inline") }), status: 403, code: "SignatureDoesNotMatch"},
		{name: "without type", change: query(func(q url.Values) { q.Del("response-content-type") }), status: 403, code: "SignatureDoesNotMatch"},
		{name: "a changed signature", change: query(func(q url.Values) {
			q.Set("X-Amz-Signature", changed(q.Get("X-Amz-Signature")))
		}), status: 403, code: "SignatureDoesNotMatch"},
		{name: "without signature", change: query(func(q url.Values) { q.Del("X-Amz-Signature") }), status: 400, code: "AuthorizationQueryParametersError"},
		{name: "another signer", change: query(func(q url.Values) {
			q.Set("X-Amz-Credential", strings.Replace(q.Get("X-Amz-Credential"), accessKey, "another", 1))
		}), status: 403, code: "InvalidAccessKeyId"},
		{name: "unsigned", change: func(r *http.Request) { r.URL.RawQuery = "" }, status: 403, code: "AccessDenied"},
		{name: "another key", change: func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "rooms/", "pending/", 1) }, status: 403, code: "SignatureDoesNotMatch"},
		{name: "another method, HEAD", change: method(http.MethodHead), status: 403},
		{name: "another method, PUT", change: method(http.MethodPut), status: 403, code: "SignatureDoesNotMatch"},
		{name: "another method, DELETE", change: method(http.MethodDelete), status: 403, code: "SignatureDoesNotMatch"},
	}
	for name, open := range servers {
		for _, test := range tests {
			t.Run(name+"/"+test.name, func(t *testing.T) {
				s := open(t)
				a, signed := attachment(t), time.Now().Add(test.signed)
				s.keep(t, a)
				link, err := s.files.SignDownload(t.Context(), a, signed, signed.Add(5*time.Minute))
				if err != nil {
					t.Fatal(err)
				}
				r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URL, nil)
				if err != nil {
					t.Fatal(err)
				}
				if test.change != nil {
					test.change(r)
				}
				status, code, body := do(t, r)
				if status != test.status || code != test.code || (body == content) != (test.status == 200) {
					t.Errorf("got %d %s %q, want %d %s", status, code, body, test.status, test.code)
				}
				if !s.exists(t, objects.Key(a.RoomID, a.ID)) {
					t.Error("the file is gone")
				}
			})
		}
	}
}
