package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
)

const (
	chatBacklog = 20          // messages shown at the start
	chatLine    = 64 << 10    // longest line that is read, in bytes; no message may be as long
	chatRooms   = 10          // pages of the user's rooms that a name is looked for in
	sendTimeout = time.Minute // to send one line, reconnects included
	quitTimeout = 10 * time.Second
)

// chatFlags say who chats where.
type chatFlags struct {
	user, room, addr string
	token, ws, api   string
}

func runChat(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	var f chatFlags
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.StringVar(&f.user, "user", "", "user `name` to sign in with at `streamroom local`")
	flags.StringVar(&f.room, "room", "", "`id or name` of the room")
	flags.StringVar(&f.addr, "addr", "http://"+defaultAddr, "`URL` of the running `streamroom local`")
	flags.StringVar(&f.token, "token", "", "a deployed Streamroom instead: the user's `JWT`")
	flags.StringVar(&f.ws, "ws", "", "a deployed Streamroom instead: `URL` of its WebSocket API, wss://…/stage")
	flags.StringVar(&f.api, "api", "", "a deployed Streamroom instead: `URL` of its HTTP API, https://…")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	options, err := f.options()
	if err != nil {
		return usageError{err}
	}
	c, err := client.New(options)
	if err != nil {
		return usageError{err}
	}
	room, err := findRoom(ctx, c, f.room)
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C
	}
	if err != nil {
		return err
	}
	s := &chatScreen{out: stdout, status: stderr, room: room, fixedToken: f.token != "", shown: make(chan struct{}, 1)}
	return s.chat(ctx, c, stdin)
}

// options are the client's for either of the two ways to sign in.
func (f chatFlags) options() (client.Options, error) {
	o := client.Options{WebSocketURL: f.ws, APIURL: f.api, Backlog: chatBacklog}
	deployed := f.token != "" || f.ws != "" || f.api != ""
	switch {
	case f.room == "":
		return o, errors.New("--room is missing")
	case deployed && f.user != "":
		return o, errors.New("give --user for `streamroom local`, or --token, --ws and --api for a deployed Streamroom")
	case deployed && (f.token == "" || f.ws == "" || f.api == ""):
		return o, errors.New("a deployed Streamroom takes --token, --ws and --api")
	case deployed:
		o.Token = func(context.Context) (string, error) { return f.token, nil }
		return o, nil
	case f.user == "":
		return o, errors.New("--user is missing")
	}
	addr, err := url.Parse(strings.TrimRight(f.addr, "/"))
	if err != nil || addr.Host == "" || (addr.Scheme != "http" && addr.Scheme != "https") {
		return o, fmt.Errorf("--addr %q is no URL such as http://%s", f.addr, defaultAddr)
	}
	base := addr.String()
	o.Token = func(ctx context.Context) (string, error) { return localToken(ctx, base, f.user, time.Hour) }
	o.APIURL = base + "/api"
	o.WebSocketURL = strings.Replace(base, "http", "ws", 1) + "/" + local.Stage
	return o, nil
}

// findRoom returns the id of the user's room with this id or name.
func findRoom(ctx context.Context, c *client.Client, name string) (string, error) {
	var named, all []string
	for page, cursor := 0, ""; page < chatRooms; page++ {
		list, err := c.ListRooms(ctx, cursor)
		if err != nil {
			return "", fmt.Errorf("list your rooms: %w", err)
		}
		for _, r := range list.Rooms {
			if r.ChatRoomID == name {
				return name, nil
			}
			if r.Name == name {
				named = append(named, r.ChatRoomID)
			}
			all = append(all, describe(r))
		}
		if cursor = list.Cursor; cursor == "" {
			break
		}
	}
	switch len(named) {
	case 1:
		return named[0], nil
	case 0:
	default:
		return "", fmt.Errorf("you are in %d rooms named %q; give the id of one: %s", len(named), name, strings.Join(named, ", "))
	}
	// The list may lag behind: a room joined a moment ago can be opened already.
	_, err := c.History(ctx, name, client.Page{Limit: 1})
	var refusal *client.Error
	switch {
	case err == nil:
		return name, nil
	case !errors.As(err, &refusal) || refusal.Retryable():
		return "", fmt.Errorf("open the room: %w", err)
	case len(all) == 0:
		return "", fmt.Errorf("you are not a member of a room %q, nor of any other: ask an owner to add you", name)
	}
	return "", fmt.Errorf("you are not a member of a room %q; yours are: %s", name, strings.Join(all, ", "))
}

func describe(r client.RoomSummary) string {
	if r.Name == "" {
		return r.ChatRoomID
	}
	return fmt.Sprintf("%s (%s)", r.ChatRoomID, neutralise(r.Name))
}

// chatScreen shows a room: its messages on out, all else on status.
type chatScreen struct {
	room       string
	fixedToken bool          // it can't be renewed
	shown      chan struct{} // holds one if a message was shown

	mu     sync.Mutex
	out    io.Writer
	status io.Writer
	day    string // of the last message shown
	newest string // the greatest id shown
	mine   string // the newest own message, as far as it is there
	self   string // the own user id, once connected
	reason string // why there's no connection
}

// chat shows what happens and sends what is typed, until either ends.
func (s *chatScreen) chat(ctx context.Context, c *client.Client, stdin io.Reader) error {
	if err := c.Follow(s.room); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	lines := make(chan string)
	// This goroutine may outlive the chat: a read from a terminal can't be
	// cancelled. It ends with its next line, or with the process.
	go s.readLines(ctx, stdin, lines)
	var sender sync.WaitGroup
	sender.Go(func() { s.send(ctx, c, lines) })
	defer sender.Wait()
	defer stop()

	var failure error
	err := c.Run(ctx, func(_ context.Context, e client.Event) {
		if err := s.show(e); err != nil {
			failure = err
			stop()
		}
	})
	if failure == nil && ctx.Err() == nil {
		return err
	}
	return failure // else somebody wanted the end
}

// readLines passes on what is typed until it ends.
func (s *chatScreen) readLines(ctx context.Context, stdin io.Reader, lines chan<- string) {
	defer close(lines)
	scanner := bufio.NewScanner(stdin)
	scanner.Buffer(nil, chatLine)
	for scanner.Scan() {
		select {
		case lines <- scanner.Text():
		case <-ctx.Done():
			return
		}
	}
	if err := scanner.Err(); err != nil {
		s.note("reading what you type: %v", err)
	}
}

// send sends each line and says goodbye after the last: at once when asked to,
// else when all that was said is shown, for the input may be a file, or empty.
func (s *chatScreen) send(ctx context.Context, c *client.Client, lines <-chan string) {
	var line string
	more := true
	for more && line != "/quit" {
		if strings.TrimSpace(line) != "" {
			s.enter(ctx, c, line)
		}
		select {
		case line, more = <-lines:
		case <-ctx.Done():
			return
		}
	}
	ctx, cancel := context.WithTimeout(ctx, quitTimeout)
	defer cancel()
	if !more {
		s.awaitNewest(ctx, c)
	}
	if err := c.Close(ctx); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		s.note("%v", err)
	}
}

// awaitNewest waits until the room's newest message is shown.
func (s *chatScreen) awaitNewest(ctx context.Context, c *client.Client) {
	newest, err := c.History(ctx, s.room, client.Page{Limit: 1})
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return
	case err != nil:
		s.note("not all messages are shown: %v", err)
		return
	case len(newest.Messages) == 0:
		s.note("nobody has said anything in %s", s.room)
		return
	}
	for !s.hasShown(newest.Messages[0].MessageID) {
		select {
		case <-s.shown:
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				s.note("not all messages are shown: they did not come in time")
			}
			return
		}
	}
}

func (s *chatScreen) hasShown(messageID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest >= messageID
}

// enter does what a line says.
func (s *chatScreen) enter(ctx context.Context, c *client.Client, line string) {
	content, edit := strings.CutPrefix(line, "/edit ")
	switch {
	case edit:
		s.changeLast(ctx, "edited", func(ctx context.Context, messageID string) error {
			_, err := c.Edit(ctx, s.room, messageID, content)
			return err
		})
	case line == "/delete":
		s.changeLast(ctx, "deleted", func(ctx context.Context, messageID string) error {
			return c.Delete(ctx, s.room, messageID)
		})
	case strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//"):
		s.note("not sent: no command but /edit and /delete; begin with // to send a line that begins with /")
	default:
		s.sendLine(ctx, c, strings.TrimPrefix(line, "/"))
	}
}

// changeLast changes the last own message.
func (s *chatScreen) changeLast(ctx context.Context, what string, change func(ctx context.Context, messageID string) error) {
	s.mu.Lock()
	last := s.mine
	s.mu.Unlock()
	if last == "" {
		s.note("not %s: no message of yours is shown", what)
		return
	}
	changing, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := change(changing, last); err != nil && ctx.Err() == nil {
		s.note("not %s: %v", what, err)
	}
}

func (s *chatScreen) sendLine(ctx context.Context, c *client.Client, line string) {
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if _, err := c.Send(sending, s.room, line); err != nil && ctx.Err() == nil {
		s.note("not sent: %v", err)
	}
}

// show shows an event. An error ends the chat.
func (s *chatScreen) show(e client.Event) error {
	switch e := e.(type) {
	case client.Message:
		if e.ChatRoomID == s.room {
			s.message(e)
		}
	case client.Edited:
		if e.ChatRoomID == s.room {
			s.edited(e)
		}
	case client.Deleted:
		if e.ChatRoomID == s.room {
			s.deleted(e)
		}
	case client.RoomChanged:
		if e.ChatRoomID == s.room {
			s.note("the room is called %s now", e.Name)
		}
	case client.MemberJoined:
		if e.ChatRoomID == s.room {
			s.note("%s joined", e.UserID)
		}
	case client.MemberLeft:
		return s.left(e)
	case client.Connected:
		s.online(e)
	case client.Disconnected:
		return s.offline(e)
	case client.CatchUpFailed:
		s.note("messages that were missed can't be fetched: %v; trying again until it works", e.Err)
	}
	return nil
}

func (s *chatScreen) message(m client.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp)
	if day := at.Format("Monday, 2 January 2006"); day != s.day {
		s.day = day
		fmt.Fprintf(s.out, "--- %s ---\n", day)
	}
	text := neutraliseText(m.Content)
	switch {
	case m.DeletedAt != 0:
		text = "(deleted)"
	case m.EditedAt != 0:
		text += "  (edited)"
	}
	if m.SenderID == s.self && m.DeletedAt == 0 {
		s.mine = max(s.mine, m.MessageID)
	}
	if m.Late {
		text += "  (came late)"
	}
	fmt.Fprintf(s.out, "%s %s: %s\n", at.Format("15:04:05"), neutralise(m.SenderID), text)
	s.newest = max(s.newest, m.MessageID)
	select {
	case s.shown <- struct{}{}:
	default:
	}
}

// edited shows a message again that was said before: what is on a terminal stays.
func (s *chatScreen) edited(m client.Edited) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp).Format("15:04:05")
	fmt.Fprintf(s.out, "%s %s: %s  (edited)\n", at, neutralise(m.SenderID), neutraliseText(m.Content))
}

func (s *chatScreen) deleted(m client.Deleted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp).Format("15:04:05")
	fmt.Fprintf(s.out, "%s %s: (deleted)\n", at, neutralise(m.SenderID))
	if s.mine == m.MessageID {
		s.mine = ""
	}
}

// left notes who left. The server says so of the user, too, if the room is
// closed to them.
func (s *chatScreen) left(e client.MemberLeft) error {
	if e.ChatRoomID != s.room {
		return nil
	}
	s.mu.Lock()
	self := e.UserID == s.self
	s.mu.Unlock()
	if self {
		return fmt.Errorf("you are no longer a member of the room %s", s.room)
	}
	s.note("%s left", e.UserID)
	return nil
}

func (s *chatScreen) online(e client.Connected) {
	s.mu.Lock()
	first := s.self == ""
	s.self, s.reason = e.UserID, ""
	s.mu.Unlock()
	if first {
		s.note("connected as %s to %s; type a line to send it, /edit TEXT or /delete to change your last one, /quit to leave", e.UserID, s.room)
	} else {
		s.note("connected again")
	}
}

func (s *chatScreen) offline(e client.Disconnected) error {
	var refusal *client.Error
	switch {
	case e.Err == nil:
		s.note("renewing the connection")
	case s.fixedToken && errors.As(e.Err, &refusal) && refusal.Code == client.CodeUnauthorized:
		return errors.New("the server does not accept the token, which may have ended; get a new one and start again")
	default:
		s.failing(e)
	}
	return nil
}

// failing notes why there's no connection, once for each reason.
func (s *chatScreen) failing(e client.Disconnected) {
	reason := e.Err.Error()
	s.mu.Lock()
	known := s.reason == reason
	s.reason = reason
	s.mu.Unlock()
	if !known {
		s.note("not connected: %s; trying again until it works", reason)
	}
}

// note writes a line about the chat, in which names and reasons come from
// elsewhere.
func (s *chatScreen) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.status, "* %s\n", neutralise(fmt.Sprintf(format, args...)))
}

// neutralise shows control characters instead of letting them control the
// terminal: they could forge lines, retitle the window or worse. So could
// characters that turn the direction of writing.
func neutralise(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r < ' ':
			return '\u2400' + r // its picture, such as ␛
		case r == '\u007f':
			return '\u2421'
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// neutraliseText does so with a text of several lines, those after the first
// set off so that none looks like a message of its own.
func neutraliseText(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = neutralise(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n         | ")
}
