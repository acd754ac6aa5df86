package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/shared/config"
)

// The addresses that `local` listens on, and other commands look for.
const (
	defaultAddr         = "127.0.0.1:8080"
	defaultDynamoDBAddr = "127.0.0.1:8000"
)

// drainTime is how long Ctrl-C waits for sockets and functions to end.
const drainTime = 10 * time.Second

func runLocal(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	c := local.Config{Log: stderr, LogLevel: os.Getenv(config.LogLevel)}
	if c.LogLevel == "" {
		c.LogLevel = "warn"
	}
	var inMemory bool
	flags := flag.NewFlagSet("local", flag.ContinueOnError)
	flags.StringVar(&c.Addr, "addr", defaultAddr, "`address` of the browser client, the WebSocket API and the HTTP API")
	flags.StringVar(&c.DynamoDBAddr, "dynamodb-addr", defaultDynamoDBAddr, "`address` of the table's wire protocol")
	flags.StringVar(&c.DataDir, "data", ".streamroom", "`folder` that keeps the table, the signing key and checkpoints")
	flags.BoolVar(&inMemory, "memory", false, "keep everything in memory and nothing afterwards")
	flags.StringVar(&c.DynamoDBEndpoint, "dynamodb-endpoint", "", "`URL` of another DynamoDB to use, such as http://127.0.0.1:8001")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	if inMemory {
		c.DataDir = ""
	}
	if endpoint, err := url.Parse(c.DynamoDBEndpoint); c.DynamoDBEndpoint != "" &&
		(err != nil || endpoint.Host == "" || (endpoint.Scheme != "http" && endpoint.Scheme != "https")) {
		return usageError{fmt.Errorf("--dynamodb-endpoint %q is no URL such as http://127.0.0.1:8001", c.DynamoDBEndpoint)}
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

// announce tells a newcomer what to do next.
func announce(w io.Writer, s *local.Server, c local.Config) {
	addr := ""
	if c.Addr != defaultAddr {
		addr = " --addr " + s.URL()
	}
	data := c.DataDir + " (delete it to start afresh)"
	if c.DataDir == "" {
		data = "in memory, gone when this ends"
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

For development only: anybody who reaches it can sign in as anybody. Ctrl-C stops it.
`, s.URL(), addr, local.Lobby, s.WebSocketURL(), s.TableURL(), local.TableName, data)
}
