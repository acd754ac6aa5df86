package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/shared/wire"
)

// bucket is an API of attachments and a store of files on one server.
type bucket struct {
	announced, posted int
	// api and store answer the nth request instead, from 1 on, by returning true.
	api, store func(n int, w http.ResponseWriter) bool
	files      map[string]string
}

// files makes a fake take files.
func (s *fake) files() *bucket {
	b := &bucket{files: map[string]string{}}
	s.onAPI = func(w http.ResponseWriter, r *http.Request) bool {
		id, link := strings.CutPrefix(r.URL.Path, "/api/rooms/general/attachments/")
		switch {
		case link:
			answer(w, http.StatusOK, wire.Download{URL: "http://" + r.Host + "/api/objects/" + id})
		case strings.HasSuffix(r.URL.Path, "/attachments"):
			b.announced++
			if b.api == nil || !b.api(b.announced, w) {
				id := fmt.Sprint("file-", b.announced)
				answer(w, http.StatusCreated, wire.AnnouncedAttachment{
					AttachmentID: id, Upload: wire.Upload{URL: "http://" + r.Host + "/api/objects", Fields: map[string]string{"key": id}},
				})
			}
		case r.URL.Path == "/api/objects":
			b.posted++
			if b.store == nil || !b.store(b.posted, w) {
				b.take(w, r)
			}
		case strings.HasPrefix(r.URL.Path, "/api/objects/"):
			_, _ = io.WriteString(w, b.files[strings.TrimPrefix(r.URL.Path, "/api/objects/")])
		default:
			return false
		}
		return true
	}
	return b
}

func (b *bucket) take(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseMultipartForm(1 << 20); err != nil {
		storeRefuses(w, http.StatusBadRequest, "IncompleteBody", err.Error())
		return
	}
	file, _, err := r.FormFile("file")
	if err != nil {
		storeRefuses(w, http.StatusBadRequest, "InvalidArgument", err.Error())
		return
	}
	text, _ := io.ReadAll(file)
	b.files[r.FormValue("key")] = string(text)
	w.WriteHeader(http.StatusNoContent)
}

func storeRefuses(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>"+message+"</Message></Error>")
}

// cutOff ends a connection in the middle of a request.
func cutOff(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// onlyReader hides that a reader can seek.
type onlyReader struct{ io.Reader }

func text(content string) client.File {
	return client.File{Name: "a.txt", ContentType: "text/plain", Size: int64(len(content)), Content: strings.NewReader(content)}
}

func TestAttachTriesAgain(t *testing.T) {
	once := func(do func(http.ResponseWriter)) func(int, http.ResponseWriter) bool {
		return func(n int, w http.ResponseWriter) bool {
			if n == 1 {
				do(w)
			}
			return n == 1
		}
	}
	store := func(status int, code, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { storeRefuses(w, status, code, message) }
	}
	for name, test := range map[string]struct {
		api, store func(http.ResponseWriter)
		announced  int // of an attachment that arrives
	}{
		"the API fails":             {api: func(w http.ResponseWriter) { refuse(w, 500, "internal") }, announced: 2},
		"the API asks to wait":      {api: func(w http.ResponseWriter) { refuse(w, 429, "rate_limited") }, announced: 2},
		"the API is cut off":        {api: cutOff, announced: 2},
		"the store asks to wait":    {store: store(503, "SlowDown", "Please reduce your request rate."), announced: 1},
		"the store waited too long": {store: store(400, "RequestTimeout", "Your socket connection was not read from."), announced: 1},
		"the store is cut off":      {store: cutOff, announced: 1},
		"the form has expired":      {store: store(403, "AccessDenied", "Invalid according to Policy: Policy expired."), announced: 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				b := r.files()
				if test.api != nil {
					b.api = once(test.api)
				}
				if test.store != nil {
					b.store = once(test.store)
				}
				id, err := r.client.Attach(r.t.Context(), "general", text("hello"))
				if want := fmt.Sprint("file-", test.announced); err != nil || id != want || b.files[id] != "hello" {
					t.Errorf("got %q, %v, want %q; the store has %q", id, err, want, b.files)
				}
			})
		})
	}
}

func TestAttachGivesUp(t *testing.T) {
	denied := func(_ int, w http.ResponseWriter) bool {
		storeRefuses(w, 403, "AccessDenied", "Access Denied")
		return true
	}
	fails := func(_ int, w http.ResponseWriter) bool { storeRefuses(w, 500, "InternalError", ""); return true }
	broken := errors.New("the disk is gone")
	short, long, gone, once := text("hello"), text("hello"), text("hello"), text("hello")
	short.Size, long.Size, once.Content = 6, 4, onlyReader{once.Content}
	gone.Content = io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(broken))
	for name, test := range map[string]struct {
		file  client.File
		store func(int, http.ResponseWriter) bool
		says  string
		is    error
	}{
		"what is refused":                  {text("hello"), denied, "forbidden: AccessDenied", nil},
		"too little content":               {short, nil, "1 bytes less than Size, 6", io.ErrUnexpectedEOF},
		"too much content":                 {long, nil, "more bytes than Size, 4", nil},
		"content that fails":               {gone, nil, "the disk is gone", broken},
		"content that can't be read again": {once, fails, "internal", nil},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				b := r.files()
				b.store = test.store
				id, err := r.client.Attach(r.t.Context(), "general", test.file)
				if err == nil || !strings.Contains(err.Error(), test.says) || test.is != nil && !errors.Is(err, test.is) || b.posted > 1 || len(b.files) > 0 {
					t.Errorf("got %q, %v after %d attempts, want an error with %q after one", id, err, b.posted, test.says)
				}
			})
		})
	}
}

func TestAttachEndsWithItsContext(t *testing.T) {
	bubble(t, func(r *rig) {
		b := r.files()
		b.store = func(_ int, w http.ResponseWriter) bool { storeRefuses(w, 500, "InternalError", ""); return true }
		ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
		defer cancel()
		_, err := r.client.Attach(ctx, "general", text("hello"))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "InternalError") || b.posted < 3 || b.announced != 1 {
			t.Errorf("%v after %d attempts of %d announcements", err, b.posted, b.announced)
		}
	})
}
