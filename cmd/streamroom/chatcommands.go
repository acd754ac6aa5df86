package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/streamroom/streamroom/client"
)

// enter carries out a line: a command, or a message to send.
func (s *chatScreen) enter(ctx context.Context, c *client.Client, line string) {
	content, edit := strings.CutPrefix(line, "/edit ")
	switch {
	case edit:
		s.changeLast(ctx, c, "edited", func(ctx context.Context, messageID string) error {
			_, err := c.Edit(ctx, s.room, messageID, content, client.NowMentioning(s.mentioned(ctx, c, content)...))
			return err
		})
	case line == "/who":
		s.who(ctx, c)
	case strings.HasPrefix(line, "/reply "), strings.HasPrefix(line, "/react "), strings.HasPrefix(line, "/unreact "):
		s.answer(ctx, c, line)
	case line == "/delete":
		s.changeLast(ctx, c, "deleted", func(ctx context.Context, messageID string) error {
			return c.Delete(ctx, s.room, messageID)
		})
	case strings.HasPrefix(line, "/") && !strings.HasPrefix(line, "//"):
		s.note("not sent: the commands are /edit, /delete, /reply, /react, /unreact, /who and /quit; begin with // to send a line that begins with /")
	default:
		s.sendLine(ctx, c, strings.TrimPrefix(line, "/"))
	}
}

// changeLast changes the last own message. While the room's messages are still being
// shown, that is not known yet.
func (s *chatScreen) changeLast(ctx context.Context, c *client.Client, what string, change func(ctx context.Context, messageID string) error) {
	changing, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if !s.catchUp(changing, c, what) {
		return
	}
	s.mu.Lock()
	last := s.mine
	s.mu.Unlock()
	if last == "" {
		s.note("not %s: no message of yours is shown", what)
		return
	}
	if err := change(changing, last); err != nil && ctx.Err() == nil {
		s.note("not %s: %v", what, err)
	}
}

// catchUp waits until the room's newest message is shown, and notes if it isn't.
func (s *chatScreen) catchUp(ctx context.Context, c *client.Client, what string) bool {
	if !s.caughtUp {
		if _, err := s.awaitNewest(ctx, c); err != nil {
			if !errors.Is(ctx.Err(), context.Canceled) {
				s.note("not %s: not all messages are shown: %v", what, err)
			}
			return false
		}
		s.caughtUp = true
	}
	return true
}

// answer carries out /reply, /react and /unreact: of the newest message that is shown, or
// with ^N of the N-th newest.
func (s *chatScreen) answer(ctx context.Context, c *client.Client, line string) {
	command, rest, _ := strings.Cut(line, " ")
	what := map[string]string{"/reply": "sent", "/react": "reacted", "/unreact": "taken back"}[command]
	answering, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	back, text := chosen(strings.TrimSpace(rest))
	if text == "" {
		s.note("not %s: want a text after %s", what, command)
		return
	}
	if !s.catchUp(answering, c, what) {
		return
	}
	s.mu.Lock()
	to := s.nthNewest(back)
	s.mu.Unlock()
	if to == "" {
		s.note("not %s: there is no such message on the screen", what)
		return
	}
	var err error
	switch command {
	case "/reply":
		s.sendLine(ctx, c, text, client.InReplyTo(to))
	case "/react":
		_, err = c.React(answering, s.room, to, text)
	default:
		_, err = c.TakeBack(answering, s.room, to, text)
	}
	if err != nil && ctx.Err() == nil {
		s.note("not %s: %v", what, err)
	}
}

// chosen is how many messages before the newest one is meant, by ^N, and what follows.
func chosen(text string) (back int, rest string) {
	choice, rest, _ := strings.Cut(text, " ")
	digits, marked := strings.CutPrefix(choice, "^")
	if n, err := strconv.Atoi(digits); marked && err == nil && n > 0 {
		return n - 1, strings.TrimSpace(rest)
	}
	return 0, text
}

// sendLine sends a message.
func (s *chatScreen) sendLine(ctx context.Context, c *client.Client, line string, options ...client.SendOption) {
	sending, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	ack, err := c.Send(sending, s.room, line, append(options, client.Mentioning(s.mentioned(sending, c, line)...))...)
	switch {
	case err == nil:
		s.mu.Lock()
		s.mine = max(s.mine, ack.MessageID) // the line after this may be /edit: it is not shown yet, maybe
		s.remember(ack.MessageID, s.self, ack.Timestamp)
		s.mu.Unlock()
		s.caughtUp = true
	case ctx.Err() == nil:
		s.note("not sent: %v", err)
	}
}
