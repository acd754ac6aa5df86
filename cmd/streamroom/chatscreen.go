package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/streamroom/streamroom/client"
)

var errTokenRefused = errors.New("the server does not accept the token, which may have expired: get a new one and start again")

// chatScreen shows a room: messages on out, notes on status.
type chatScreen struct {
	room       string
	fixedToken bool          // it can't be replaced when it expires
	shown      chan struct{} // holds one if a message was shown
	unread     chan struct{} // holds one if another's message was shown and not marked as read

	mu     sync.Mutex
	out    io.Writer
	status io.Writer
	day    string // of the last message shown
	newest string // the greatest id shown
	mine   string // the newest own message, "" once it is deleted
	self   string // the own user id, once connected
	reason string // why there is no connection, as noted last

	joiners map[string]bool // users who have joined since, and not left

	recent []shownMessage       // the latest on the screen, by id
	typing map[string]time.Time // until when who types does

	caughtUp bool // whether mine is the last one of all, for the goroutine of send
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
	sender.Go(func() { s.markRead(ctx, c) })
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
	return failure // nil: ctx or /quit ended the chat
}

// readLines passes typed lines on until the input ends. One that is too long is left
// out; those after it are not. (A bufio.Scanner would end there.)
func (s *chatScreen) readLines(ctx context.Context, stdin io.Reader, lines chan<- string) {
	defer close(lines)
	reader := bufio.NewReaderSize(stdin, chatLine)
	for {
		data, more, err := reader.ReadLine()
		line, tooLong := string(data), more
		for more && err == nil {
			_, more, err = reader.ReadLine()
		}
		switch {
		case tooLong:
			s.note("not sent: a line is longer than %d bytes", chatLine)
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			s.note("reading what you type: %v", err)
			return
		default:
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
		}
	}
}

// send sends each line and closes the client after the last: at once after /quit,
// else when the newest message is shown, for the input may be a file, or empty.
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
		s.showNewest(ctx, c)
	}
	if err := c.Close(ctx); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		s.note("%v", err)
	}
}

// showNewest waits until the room's newest message is shown, and notes if it isn't.
func (s *chatScreen) showNewest(ctx context.Context, c *client.Client) {
	switch found, err := s.awaitNewest(ctx, c); {
	case errors.Is(ctx.Err(), context.Canceled):
	case err != nil:
		s.note("not all messages are shown: %v", err)
	case !found:
		s.note("there are no messages in %s yet", s.room)
	}
}

// awaitNewest waits until the room's newest message is shown. It returns whether there
// is one.
func (s *chatScreen) awaitNewest(ctx context.Context, c *client.Client) (found bool, err error) {
	newest, err := c.History(ctx, s.room, client.Page{Limit: 1})
	if err != nil || len(newest.Messages) == 0 {
		return false, err
	}
	for !s.hasShown(newest.Messages[0].MessageID) {
		select {
		case <-s.shown:
		case <-ctx.Done():
			return true, errors.New("they did not arrive in time")
		}
	}
	return true, nil
}

// markRead tells the server what was shown, so that it isn't unread on the user's
// other devices, and others see that it was read.
func (s *chatScreen) markRead(ctx context.Context, c *client.Client) {
	for {
		select {
		case <-s.unread:
		case <-ctx.Done():
			return
		}
		s.mu.Lock()
		newest := s.newest
		s.mu.Unlock()
		err := c.MarkRead(ctx, s.room, newest)
		var refusal *client.Error
		if err != nil && (!errors.As(err, &refusal) || refusal.Retryable()) {
			notify(s.unread)
		}
		select {
		case <-time.After(markPause):
		case <-ctx.Done():
			return
		}
	}
}

// notify leaves one token in a channel.
func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *chatScreen) hasShown(messageID string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest >= messageID
}

// show shows an event. An error ends the chat.
func (s *chatScreen) show(e client.Event) error {
	switch e := e.(type) {
	case client.Message:
		if e.ChatRoomID == s.room {
			return s.message(e)
		}
	case client.Edited:
		if e.ChatRoomID == s.room {
			return s.edited(e)
		}
	case client.Deleted:
		if e.ChatRoomID == s.room {
			return s.deleted(e)
		}
	case client.Reacted:
		if e.ChatRoomID == s.room {
			s.reacted(e)
		}
	case client.Typing:
		if e.ChatRoomID == s.room {
			s.types(e)
		}
	case client.RoomChanged:
		if e.ChatRoomID == s.room {
			s.note("the room is called %s now", e.Name)
		}
	case client.MemberJoined:
		if e.ChatRoomID == s.room {
			s.joined(e.UserID)
		}
	case client.MemberLeft:
		return s.left(e)
	case client.Connected:
		s.online(e)
	case client.Disconnected:
		return s.offline(e)
	case client.CatchUpFailed:
		s.note("missed messages can't be fetched: %v; trying again until it works", e.Err)
	}
	return nil
}

// message shows a message. What could not be written was not shown, nor is it read.
func (s *chatScreen) message(m client.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp)
	heading := ""
	if day := at.Format("Monday, 2 January 2006"); day != s.day {
		s.day = day
		heading = fmt.Sprintf("--- %s ---\n", day)
	}
	text := said(m.HistoryMessage)
	switch {
	case m.DeletedAt != 0:
		text = gone(m.DeletedBy)
	case m.EditedAt != 0:
		text += "  (edited)"
	}
	if m.SenderID == s.self && m.DeletedAt == 0 {
		s.mine = max(s.mine, m.MessageID)
	}
	if m.Late {
		text += "  (arrived late)"
	}
	if m.Reactions != nil && len(m.Reactions.Counts) > 0 {
		text += "  [" + inSum(m.Reactions.Counts) + "]"
	}
	if err := s.print("%s%s %s: %s", heading, at.Format("15:04:05"), neutralise(m.SenderID), text); err != nil {
		return err
	}
	s.newest = max(s.newest, m.MessageID)
	delete(s.typing, m.SenderID)
	if m.DeletedAt == 0 {
		s.remember(m.MessageID, m.SenderID, m.Timestamp)
	}
	notify(s.shown)
	if m.SenderID != s.self {
		notify(s.unread)
	}
	return nil
}

// print writes a line of the chat. s.mu is held.
func (s *chatScreen) print(format string, args ...any) error {
	if _, err := fmt.Fprintf(s.out, format+"\n", args...); err != nil {
		return fmt.Errorf("show messages: %w", err)
	}
	return nil
}

// edited shows the new content as another line: a terminal keeps what was printed.
func (s *chatScreen) edited(m client.Edited) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp).Format("15:04:05")
	return s.print("%s %s: %s  (edited)", at, neutralise(m.SenderID), said(m.HistoryMessage))
}

// said is what a message says, with what it answers before it and the names of its files
// behind it.
func said(m client.HistoryMessage) string {
	lines := make([]string, 0, 2+len(m.Attachments))
	if q := m.ReplyTo; q != nil {
		answered := q.SenderID
		if words := strings.Fields(q.Preview); len(words) > 0 {
			answered += ": " + strings.Join(words, " ")
		}
		lines = append(lines, "[answers "+answered+"]")
	}
	if m.Content != "" {
		lines = append(lines, m.Content)
	}
	for _, file := range m.Attachments {
		lines = append(lines, fmt.Sprintf("[file %s, %d B]", file.Name, file.Size))
	}
	return neutraliseText(strings.Join(lines, "\n"))
}

func (s *chatScreen) deleted(m client.Deleted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := time.UnixMilli(m.Timestamp).Format("15:04:05")
	if s.mine == m.MessageID {
		s.mine = ""
	}
	s.recent = slices.DeleteFunc(s.recent, func(r shownMessage) bool { return r.id == m.MessageID })
	return s.print("%s %s: %s", at, neutralise(m.SenderID), gone(m.DeletedBy))
}

// gone stands for a message that its sender deleted, or someone who moderates the room.
func gone(by string) string {
	if by != "" {
		return "(deleted by a moderator)"
	}
	return "(deleted)"
}

// joined notes who joined, once: the frame may come twice, and replays send it again.
func (s *chatScreen) joined(user string) {
	s.mu.Lock()
	known := s.joiners[user]
	if s.joiners == nil {
		s.joiners = make(map[string]bool)
	}
	s.joiners[user] = true
	s.mu.Unlock()
	if !known {
		s.note("%s joined", user)
	}
}

// left notes who left. When the user was removed, the chat ends.
func (s *chatScreen) left(e client.MemberLeft) error {
	if e.ChatRoomID != s.room {
		return nil
	}
	s.mu.Lock()
	self := e.UserID == s.self
	delete(s.joiners, e.UserID)
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
		s.note("connected as %s to %s; type a line to send it, /edit TEXT or /delete to change your last one, /reply TEXT or /react EMOJI to answer the newest, /who, /quit to leave", e.UserID, s.room)
	} else {
		s.note("connected again")
	}
}

func (s *chatScreen) offline(e client.Disconnected) error {
	var refusal *client.Error
	switch {
	case s.fixedToken && errors.As(e.Err, &refusal) && refusal.Code == client.CodeUnauthorized:
		return errTokenRefused
	default:
		s.failing(e)
	}
	return nil
}

// failing notes why there is no connection, once for each reason.
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

// note writes a line about the chat. Names and reasons in it come from others, so
// it is neutralised.
func (s *chatScreen) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.status, "* %s\n", neutralise(fmt.Sprintf(format, args...)))
}

// neutralise shows control characters instead of letting them control the
// terminal: they could forge lines, retitle the window or worse. So could
// characters that change the direction of writing.
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

// neutraliseText neutralises a text of several lines. Those after the first are
// indented so that none looks like a message of its own.
func neutraliseText(text string) string {
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = neutralise(strings.ReplaceAll(line, "\t", "    "))
	}
	return strings.Join(lines, "\n         | ")
}
