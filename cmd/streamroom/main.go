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

  local      run everything on this machine: gateway, functions, table, browser client
  chat       chat in the terminal
  token      print a token of the local user pool
  smoke      check that a Streamroom works, deployed or local
  replay     send changes of the table to a consumer of its stream again
  failures   look at what the stream's consumers gave up, and send it again
  verify     compare what consumers made with what it was made of, and mend it

streamroom <command> -h explains a command's flags.
`

type command func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error

var commands = map[string]command{
	"local":    runLocal,
	"chat":     runChat,
	"token":    runToken,
	"smoke":    runSmoke,
	"replay":   runReplay,
	"failures": runFailures,
	"verify":   runVerify,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3   // done, but something still fails or differs
	exitInterrupted = 130 // by Ctrl-C, as shells have it
)

// exitError ends the program with a code of its own.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Fprint(stdout, usage)
		return exitDone
	}
	command, ok := commands[args[0]]
	if !ok {
		fmt.Fprintf(stderr, "streamroom: there is no command %q\n\n%s", args[0], usage)
		return exitUsage
	}
	err := command(ctx, args[1:], stdin, stdout, stderr)
	var wrong usageError
	var coded exitError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "streamroom %s: %v; see streamroom %s -h\n", args[0], err, args[0])
		return exitUsage
	case errors.As(err, &coded):
		fmt.Fprintf(stderr, "streamroom %s: %v\n", args[0], err)
		return coded.code
	default:
		fmt.Fprintf(stderr, "streamroom %s: %v\n", args[0], err)
		return exitFailed
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
