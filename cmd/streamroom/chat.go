package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/unicode/norm"

	"github.com/streamroom/streamroom/client"
	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cli"
)

const (
	chatBacklog = 20          // messages shown at the start
	chatLine    = 64 << 10    // longest line that is read, in bytes; a message is shorter
	chatRooms   = 10          // pages of the user's rooms in which to find a name
	sendTimeout = time.Minute // to send one line, reconnects included
	quitTimeout = 10 * time.Second
	markPause   = 2 * time.Second // between read marks, each of which is a write
)

// chatFlags are the flags of chat: the room, and how to sign in.
type chatFlags struct {
	user, room, addr string
	token, ws, api   string
}

func newChat() *cobra.Command {
	f := chatFlags{addr: "http://" + defaultAddr}
	cmd := &cobra.Command{
		Use: "chat --room ROOM", GroupID: groupTry, Args: cli.NoArguments,
		Short: "Chat in the terminal",
		Long: `Chat in a room: its newest messages are shown, then every new one, and each line that
you type is sent. An @ before the name or id of a member mentions them. Messages go to
stdout, notes to stderr, such as who types and who reacts. Lines that begin with / are
commands; one that begins with // is sent with one slash:

  /edit TEXT      your last message says this instead
  /delete         your last message is deleted
  /reply TEXT     answers the newest message
  /react EMOJI    reacts to the newest message, with an emoji or a name such as :tada:
  /unreact EMOJI  takes that back
  /who            lists who is online
  /quit           leaves

/reply, /react and /unreact take ^N before their text for the N-th newest message.

For a user of a running ` + "`streamroom local`" + ` give --user; for a deployed Streamroom give
--token, --ws and --api.`,
		Example: `  streamroom chat --user alice --room general
  streamroom chat --room general --token "$TOKEN" --ws wss://…/prod --api https://…`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.chat(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.user, "user", "", "user `name` to sign in with at streamroom local")
	flags.StringVar(&f.room, "room", "", "`id or name` of the room")
	cli.URL(flags, &f.addr, "addr", "http://"+defaultAddr, "`URL` of the running streamroom local")
	flags.StringVar(&f.token, "token", "", "for a deployed Streamroom: the user's `JWT`")
	cli.URL(flags, &f.ws, "ws", exampleWebSocket, "for a deployed Streamroom: `URL` of its WebSocket API, wss://…/stage")
	cli.URL(flags, &f.api, "api", exampleAPI, "for a deployed Streamroom: `URL` of its HTTP API, https://…")
	return cmd
}

// What the errors give as examples of a deployed Streamroom's addresses.
const (
	exampleWebSocket = "wss://abc123.execute-api.eu-central-1.amazonaws.com/prod"
	exampleAPI       = "https://abc123.execute-api.eu-central-1.amazonaws.com"
)

func (f chatFlags) chat(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) error {
	options, err := f.options()
	if err != nil {
		return cli.Usage(err)
	}
	c, err := client.New(options)
	if err != nil {
		return cli.Usage(err)
	}
	room, err := findRoom(ctx, c, f.room)
	if errors.Is(err, context.Canceled) {
		return nil // Ctrl-C
	}
	if err != nil {
		return f.explain(err)
	}
	s := &chatScreen{out: stdout, status: stderr, room: room, fixedToken: f.token != "", shown: make(chan struct{}, 1), unread: make(chan struct{}, 1)}
	return s.chat(ctx, c, stdin)
}

// explain says what to do about a token that can't be replaced.
func (f chatFlags) explain(err error) error {
	var refusal *client.Error
	if f.token != "" && errors.As(err, &refusal) && refusal.Code == client.CodeUnauthorized {
		return errTokenRefused
	}
	return err
}

// options returns the client's options for either of the two ways to sign in.
func (f chatFlags) options() (client.Options, error) {
	o := client.Options{WebSocketURL: f.ws, APIURL: f.api, Backlog: chatBacklog}
	deployed := f.token != "" || f.ws != "" || f.api != ""
	switch {
	case f.room == "":
		return o, errors.New("--room is missing")
	case deployed && f.user != "":
		return o, errors.New("use --user for `streamroom local`, or --token, --ws and --api for a deployed Streamroom, not both")
	case deployed && (f.token == "" || f.ws == "" || f.api == ""):
		return o, errors.New("a deployed Streamroom needs --token, --ws and --api")
	case deployed:
		o.Token = func(context.Context) (string, error) { return f.token, nil }
		return o, nil
	case f.user == "":
		return o, errors.New("--user is missing")
	}
	o.Token = func(ctx context.Context) (string, error) { return localToken(ctx, f.addr, f.user, time.Hour) }
	o.APIURL, o.WebSocketURL = localURLs(f.addr)
	return o, nil
}

// localURLs returns the addresses of the APIs of a `streamroom local`.
func localURLs(addr string) (api, ws string) {
	return addr + "/api", strings.Replace(addr, "http", "ws", 1) + "/" + local.Stage
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
			// One name can be typed in several ways: é, or e and an accent.
			if norm.NFC.String(r.Name) == norm.NFC.String(name) {
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
		return "", fmt.Errorf("you are not a member of room %q, nor of any other: ask an owner to add you", name)
	}
	return "", fmt.Errorf("you are not a member of room %q; your rooms are: %s", name, strings.Join(all, ", "))
}

func describe(r client.RoomSummary) string {
	if r.Name == "" {
		return r.ChatRoomID
	}
	return fmt.Sprintf("%s (%s)", r.ChatRoomID, neutralise(r.Name))
}
