// Command streamroom runs Streamroom on this machine and talks to a Streamroom
// that is running.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: streamroom <command> [flags]

  local   run everything on this machine: gateway, functions, table, browser client
  chat    chat in the terminal
  token   print a token of the local user pool
  smoke   check that a Streamroom works, deployed or local
  check   break a Streamroom on purpose, and check what its clients see

streamroom <command> -h explains a command's flags.
`

type command func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error

var commands = map[string]command{
	"local": runLocal,
	"chat":  runChat,
	"token": runToken,
	"smoke": runSmoke,
	"check": runCheck,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes: 0 done, 1 failed, 2 called wrongly.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stdout, usage)
		return 0
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "streamroom: there is no command %q\n\n%s", args[0], usage)
		return 2
	}
	err := command(ctx, args[1:], stdin, stdout, stderr)
	var wrong usageError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "streamroom %s: %v; see streamroom %s -h\n", args[0], err, args[0])
		return 2
	default:
		fmt.Fprintf(stderr, "streamroom %s: %v\n", args[0], err)
		return 1
	}
}

// usageError is an error in how a command was called.
type usageError struct{ error }

// parse reads a command's flags; nothing may follow them. An error has not been
// printed yet, but the help that was asked for has.
func parse(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(stdout)
		fmt.Fprintf(stdout, "usage: streamroom %s [flags]\n\n", flags.Name())
		flags.PrintDefaults()
		return err
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if err != nil {
		return usageError{err}
	}
	return nil
}
