// Command serve runs the embedded DynamoDB as a server, for tools and programs in other
// languages:
//
//	go run ./local/dynamodb/serve --addr 127.0.0.1:8000 --data tables.db
//
// It prints its URL and runs until it is interrupted. Without --data nothing is stored.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/dynamodb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // stop only frees the signal handler
	}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8000", "host and port to listen on")
	data := flags.String("data", "", "file for the tables, in memory by default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	engine, err := dynamodb.Open(ctx, dynamodb.Options{Path: *data, Log: zerolog.New(os.Stderr)})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", *addr)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on %s: %w", *addr, err), engine.Close())
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: engine, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err = server.Serve(listener); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, engine.Close())
}
