// Command infra is the CDK app: it synthesizes one CloudFormation stack for each
// concern. The CDK CLI runs it, as cdk.json says:
//
//	npx aws-cdk@2.1148.1 deploy --all -c env=dev
//
// What it takes by context (-c name=value) is in settings.go and in
// docs/operations.md. Functions, routes and stream mappings come from
// shared/topology, so what is deployed is what runs locally.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Getenv)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "streamroom:", err)
		os.Exit(1)
	}
}

// run synthesizes the app, after validating the whole call.
func run(ctx context.Context, getenv func(string) string) error {
	values, err := readContext(getenv)
	if err != nil {
		return err
	}
	settings, err := parseSettings(values)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("node"); err != nil {
		return errors.New("node is not installed or not in PATH; the CDK needs Node.js 20 or later")
	}
	build, err := os.MkdirTemp("", "streamroom-*")
	if err != nil {
		return fmt.Errorf("make a folder for the build: %w", err)
	}
	defer func() { _ = os.RemoveAll(build) }() // what is of use has been copied to cdk.out
	files, err := prepare(ctx, ".", build)
	if err != nil {
		return err
	}
	// jsii keeps its runtime in the temporary folder until jsii.Close, which waits
	// twice for one process and complains. So it gets a folder that goes anyway,
	// and ends with this process.
	if err := os.Setenv("TMPDIR", build); err != nil {
		return fmt.Errorf("choose a temporary folder: %w", err)
	}
	a, err := newApp(settings, files, appOptions{})
	if err != nil {
		return err
	}
	a.Synth(nil)
	return nil
}
