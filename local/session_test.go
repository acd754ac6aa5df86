package local_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/test/rig"
)

// session carries out the one that docs/protocol.md shows.
type session struct {
	*rig.Rig
	t       *testing.T
	names   map[string]string // $NAME to what stands for it
	sockets map[string]*websocket.Conn
	frames  map[string][]any // received, and not expected yet
	status  int              // of the last request
	body    []byte
}

var sessionLine = regexp.MustCompile(`^    (\w+) +([→←]) (.*)$`)

func TestProtocol_ItsSessionIsTrue(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "### One session\n")
	text, _, _ = strings.Cut(text, "\n## ")
	text = regexp.MustCompile(`\n {10,}`).ReplaceAllString(text, "") // lines that go on
	s := &session{
		Rig: start(t, local.Config{}), t: t,
		names: map[string]string{}, sockets: map[string]*websocket.Conn{}, frames: map[string][]any{},
	}
	steps := 0
	for line := range strings.SplitSeq(text, "\n") {
		if step := sessionLine.FindStringSubmatch(line); step != nil {
			steps++
			s.step(step[1], step[2] == "→", step[3])
		}
	}
	if steps < 15 {
		t.Errorf("the page's session has %d steps", steps)
	}
}

func (s *session) step(user string, sends bool, what string) {
	s.t.Helper()
	for name, value := range s.names {
		what = strings.ReplaceAll(what, name, value)
	}
	isFrame := strings.HasPrefix(what, "{")
	switch {
	case sends && isFrame:
		if s.sockets[user] == nil {
			conn := s.Dial(user)
			s.sockets[user] = conn
			s.t.Cleanup(func() { _ = conn.CloseNow() })
		}
		if err := s.sockets[user].Write(s.t.Context(), websocket.MessageText, []byte(what)); err != nil {
			s.t.Fatal(err)
		}
	case sends:
		s.request(user, what)
	case isFrame:
		s.receive(user, what)
	default:
		want, body, _ := strings.Cut(what, " ")
		if fmt.Sprint(s.status) != want || body == "" && len(s.body) > 0 || body != "" && !s.fits(s.decode(body), s.decode(string(s.body))) {
			s.t.Fatalf("%s got %d %s, the page says %s", user, s.status, s.body, what)
		}
	}
}

func (s *session) request(user, what string) {
	s.t.Helper()
	method, rest, _ := strings.Cut(what, " ")
	path, body, _ := strings.Cut(rest, " ")
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.APIURL()+path, bytes.NewReader([]byte(body)))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+s.Token(user, 0))
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	s.status = response.StatusCode
	if s.body, err = io.ReadAll(response.Body); err != nil {
		s.t.Fatal(err)
	}
}

// receive waits for a frame; others are kept for later steps.
func (s *session) receive(user, what string) {
	s.t.Helper()
	want := s.decode(what)
	ctx, cancel := context.WithTimeout(s.t.Context(), rig.Patience)
	defer cancel()
	for {
		for i, frame := range s.frames[user] {
			if s.fits(want, frame) {
				s.frames[user] = append(s.frames[user][:i:i], s.frames[user][i+1:]...)
				return
			}
		}
		_, data, err := s.sockets[user].Read(ctx)
		if err != nil {
			s.t.Fatalf("%s waits for %s, got %v: %v", user, what, s.frames[user], err)
		}
		frame := s.decode(string(data))
		if fields, ok := frame.(map[string]any); ok && fields["type"] == "batch" {
			s.frames[user] = append(s.frames[user], fields["frames"].([]any)...)
		} else {
			s.frames[user] = append(s.frames[user], frame)
		}
	}
}

func (s *session) decode(text string) (value any) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		s.t.Fatalf("%s: %v", text, err)
	}
	return value
}

// fits compares with what the page says, and learns what its names stand for.
func (s *session) fits(want, got any) bool {
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		return false
	}
	switch want := want.(type) {
	case map[string]any:
		fields := got.(map[string]any)
		if len(want) != len(fields) {
			return false
		}
		for name, value := range want {
			found, ok := fields[name]
			if !ok || !s.fits(value, found) {
				return false
			}
		}
		return true
	case float64:
		return want > 1e12 && got.(float64) > 1e12 || want == got // times differ
	case string:
		if strings.HasPrefix(want, "$") && s.names[want] == "" {
			s.names[want] = got.(string)
			return true
		}
		return want == "…" || want == got
	default:
		return reflect.DeepEqual(want, got)
	}
}
