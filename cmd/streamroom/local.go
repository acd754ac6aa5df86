package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
)

// The addresses that `local` listens on, and the other commands' defaults.
const (
	defaultAddr         = "127.0.0.1:8080"
	defaultDynamoDBAddr = "127.0.0.1:8000"
)

// drainTime is how long Ctrl-C waits for connections to close and functions to
// return.
const drainTime = 10 * time.Second

// When a write to the data folder is acknowledged.
const (
	syncNormal = "normal" // once the system has it
	syncFull   = "full"   // once the disk has it
)

// localOptions are the command line of `local`.
type localOptions struct {
	config   local.Config
	inMemory bool
	events   string // a file's name
	sync     string // syncNormal or syncFull
}

func newLocal() *cobra.Command {
	o := localOptions{sync: syncNormal}
	if o.config.LogLevel = os.Getenv(config.LogLevel); o.config.LogLevel == "" {
		o.config.LogLevel = "warn"
	}
	cmd := &cobra.Command{
		Use: "local", GroupID: groupTry, Args: cli.NoArguments,
		Short: "Run everything on this machine",
		Long: `Run everything on this machine: the WebSocket API, the HTTP API, the functions, the
table with its stream, a user pool without passwords, and the browser client. It
needs no AWS account, Docker or network. Ctrl-C stops it.

For development only: anyone who can connect to it can sign in as any user.
LOG_LEVEL=debug, info, warn (the default) or error sets what the functions log to stderr.`,
		Example: `  streamroom local
  streamroom local --memory
  LOG_LEVEL=info streamroom local --addr 127.0.0.1:9090 --dynamodb-addr 127.0.0.1:9000`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addTo(cmd)
	return cmd
}

func (o *localOptions) addTo(cmd *cobra.Command) {
	c := &o.config
	flags := cmd.Flags()
	flags.StringVar(&c.Addr, "addr", defaultAddr, "`address` of the browser client, the WebSocket API and the HTTP API")
	flags.StringVar(&c.DynamoDBAddr, "dynamodb-addr", defaultDynamoDBAddr, "`address` of the table, which speaks DynamoDB's protocol")
	flags.StringVar(&c.DataDir, "data", ".streamroom", "`folder` for the table, the attachments, the signing key, the key of pushes, the functions' positions in the stream and what they gave up")
	cli.Choice(cmd, &o.sync, []string{syncNormal, syncFull}, "sync", "when a write is acknowledged: `normal` once the system has it, which outlives this program, full once the disk has it, which outlives a power cut")
	cli.Origins(flags, &c.Origins, "origin", "`origin` whose pages may use the HTTP API and sign in, as those on this machine may, such as https://chat.example.com; can be repeated")
	cli.URL(flags, &c.Review, "review", "http://127.0.0.1:9000/", "`URL` that is asked about each message before it is stored")
	c.ReviewFailure = config.Deny
	cli.Choice(cmd, &c.ReviewFailure, []string{config.Allow, config.Deny}, "review-failure", "what becomes of messages that could not be reviewed: `allow` or deny")
	flags.StringVar(&o.events, "events", "", "`file` to which events are appended as lines of JSON; they are shown at /events, too")
	flags.BoolVar(&c.EventContent, "event-content", false, "have events carry what messages say")
	flags.BoolVar(&c.Push, "push", false, "send Web Push to browsers of users who are offline, by the push services that the browsers name")
	flags.IntVar(&c.RetentionDays, "retention-days", 0, "for how many `days` new messages are kept; 0 keeps them forever")
	flags.StringSliceVar(&c.Services, "service", local.DefaultServices, "`name` of a service that gets tokens of its own, such as a bot; can be repeated")
	flags.BoolVar(&c.Unthrottled, "unthrottled", false, "lift the limits of requests a second and those per user, for load tests")
	flags.BoolVar(&o.inMemory, "memory", false, "keep everything in memory; it is lost at the end")
	cli.URL(flags, &c.DynamoDBEndpoint, "dynamodb-endpoint", "http://127.0.0.1:8001", "`URL` of another DynamoDB to use, such as http://127.0.0.1:8001")
}

// check says what is wrong with the command line.
func (o *localOptions) check() error {
	c := &o.config
	for _, name := range c.Services {
		if chat.ValidateServiceName(name) != nil {
			return cli.Usage(fmt.Errorf("invalid --service %q: want a name such as bot or news-feed", name))
		}
	}
	if c.RetentionDays < 0 || c.RetentionDays > chat.MaxRetentionDays {
		return cli.Usage(fmt.Errorf("invalid --retention-days %d: want 1 to %d, or 0 to keep messages forever", c.RetentionDays, chat.MaxRetentionDays))
	}
	if c.EventContent && o.events == "" && !c.Push {
		return cli.Usage(errors.New("--event-content needs --events or --push"))
	}
	return nil
}

// run carries out the command until ctx ends.
func (o *localOptions) run(ctx context.Context, stdout, stderr io.Writer) error {
	if err := o.check(); err != nil {
		return err
	}
	c := o.config
	if o.inMemory {
		c.DataDir = ""
	}
	c.Log, c.Fsync = stderr, o.sync == syncFull
	if o.events != "" {
		file, err := os.OpenFile(o.events, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("open the file of --events: %w", err)
		}
		defer file.Close()
		c.Events = file
	}
	return serveLocal(ctx, c, stdout)
}

// reserve is memory that is never touched, so that the system never gives it; the garbage
// collector counts it. A small server's heap is a few MB and would be collected a dozen
// times a second under load, for a sixth of its CPU; so it is collected once per 64 MB more.
const reserve = 64 << 20

// serveLocal runs a Streamroom until ctx ends or a part of it fails.
func serveLocal(ctx context.Context, c local.Config, stdout io.Writer) error {
	if os.Getenv("GOGC") == "" { // else who set it decides
		defer runtime.KeepAlive(make([]byte, reserve))
	}
	server, err := local.Start(ctx, c)
	if err != nil {
		return err
	}
	announce(stdout, server, c)
	select {
	case <-ctx.Done():
		fmt.Fprintln(stdout, "\nStopping.")
	case err = <-server.Failed():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if stopErr := server.Stop(ctx); err == nil {
		err = stopErr
	}
	return err
}

// announce prints the addresses, and what to do next.
func announce(w io.Writer, s *local.Server, c local.Config) {
	addr := ""
	if c.Addr != defaultAddr {
		addr = " --addr " + s.URL()
	}
	data := c.DataDir + " (delete it to start from scratch)"
	if c.DataDir == "" {
		data = "in memory, lost when this ends"
	}
	fmt.Fprintf(w, `Streamroom is running.

  Open      %[1]s/ in two windows, sign in as alice and as bob, and chat.
  Terminal  go run ./cmd/streamroom chat%[2]s --user alice --room %[3]s
  Token     go run ./cmd/streamroom token%[2]s --user alice

  WebSocket API   %[4]s
  HTTP API        %[1]s/api
  Table           %[5]s  (%[6]s; keys "local" and "local", region us-east-1)
  Data            %[7]s
  Logs            warnings and errors; LOG_LEVEL=info shows every invocation

For development only: anyone who can connect can sign in as any user. Ctrl-C stops it.
`, s.URL(), addr, local.Lobby, s.WebSocketURL(), s.TableURL(), local.TableName, data)
}
