package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

func runToken(ctx context.Context, args []string, _ io.Reader, stdout, _ io.Writer) error {
	var user, addr string
	var expires time.Duration
	flags := flag.NewFlagSet("token", flag.ContinueOnError)
	flags.StringVar(&user, "user", "", "user `name` to sign in with")
	flags.StringVar(&addr, "addr", "http://"+defaultAddr, "`URL` of the running `streamroom local`")
	flags.DurationVar(&expires, "expires-in", time.Hour, "how long the token is good for; negative for one that has ended")
	if err := parse(flags, args, stdout); err != nil {
		return err
	}
	if user == "" {
		return usageError{errors.New("--user is missing")}
	}
	token, err := localToken(ctx, addr, user, expires)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, token)
	return err
}
