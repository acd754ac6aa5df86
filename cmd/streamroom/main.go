// Command streamroom runs Streamroom on this machine, and chats with, checks and
// repairs a Streamroom that is running, here or on AWS.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
)

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
	exitIncomplete  = 3   // done, but some records fail or some items differ
	exitInterrupted = 130 // by Ctrl-C, as shells have it
)

// exitError ends the program with an exit code of its own.
type exitError struct {
	code int
	error
}

func (e exitError) Unwrap() error { return e.error }

// run carries out a command line, prints its error to stderr, and returns the
// exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, newRoot().UsageString()) //nolint:contextcheck // it runs no command
		return exitUsage
	}
	out := &output{w: stdout}
	path, err := execute(ctx, args, stdin, out, stderr)
	if err == nil {
		err = out.failure()
	}
	var usage cli.UsageError
	var exit exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "%s: %v; see %s --help\n", path, err, path)
		return exitUsage
	case errors.As(err, &exit):
		fmt.Fprintf(stderr, "%s: %v\n", path, err)
		return exit.code
	default:
		fmt.Fprintf(stderr, "%s: %v\n", path, err)
		return exitFailed
	}
}

// execute carries out a command line. path names the command that it found, such
// as "streamroom failures list". An error has not been printed.
func execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (path string, err error) {
	root := newRoot() //nolint:contextcheck // commands get ctx by ExecuteContextC
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	command, err := root.ExecuteContextC(ctx)
	if command == root && err != nil {
		err = unknownCommand(root, err)
	}
	return command.CommandPath(), err
}

// The groups of commands in the help.
const (
	groupTry     = "try"
	groupOperate = "operate"
)

const rootLong = `Streamroom is a real-time chat backend. This program runs all of it on this
machine, and chats with, checks and repairs one that is running, here or on AWS.

Exit codes: 0 done; 1 failed; 2 the command line is invalid; 3 done, but some
records still fail or some items still differ; 130 interrupted.`

const rootExample = `  streamroom local
  streamroom chat --user alice --room general
  streamroom verify --env dev`

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use: "streamroom", Short: "Run, try and operate a Streamroom", Long: rootLong, Example: rootExample,
		SilenceErrors: true, SilenceUsage: true,
	}
	root.SetFlagErrorFunc(cli.FlagError)
	root.AddGroup(
		&cobra.Group{ID: groupTry, Title: "Try it:"},
		&cobra.Group{ID: groupOperate, Title: "Deploy and operate:"},
	)
	root.AddCommand(newLocal(), newChat(), newToken(), newSmoke(), newReplay(), newFailures(), newVerify(), newRestore(), newErase(), newExport(), newUsers(), newCost(), newPushKey(), newVersion())
	return root
}

// unknownCommand rewords cobra's error for a mistyped command, which has no type
// and several lines.
func unknownCommand(root *cobra.Command, err error) error {
	var name string
	if _, scanErr := fmt.Sscanf(err.Error(), "unknown command %q", &name); scanErr == nil {
		err = unknown(root, name)
	}
	return cli.Usage(err)
}

func unknown(parent *cobra.Command, name string) error {
	parent.SuggestionsMinimumDistance = 2 // as cobra's own suggestions
	text := fmt.Sprintf("unknown command %q", name)
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		text += " (did you mean " + strings.Join(similar, " or ") + "?)"
	}
	return errors.New(text)
}
