package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newToken() *cobra.Command {
	var user string
	addr, expires := "http://"+defaultAddr, time.Hour
	cmd := &cobra.Command{
		Use: "token --user NAME", GroupID: groupTry, Args: noArguments,
		Short: "Print a token for a local user",
		Long: "Sign a user in at a running `streamroom local` and print the token, a JWT. There is\n" +
			"no password: every name is accepted. For a deployed Streamroom a token comes from its user pool.",
		Example: `  streamroom token --user alice
  curl -H "Authorization: Bearer $(streamroom token --user alice)" http://127.0.0.1:8080/api/rooms`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" {
				return usageError{errors.New("--user is missing")}
			}
			token, err := localToken(cmd.Context(), addr, user, expires)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&user, "user", "", "user `name` to sign in with")
	urlVar(flags, &addr, "addr", "http://"+defaultAddr, "`URL` of the running streamroom local")
	flags.DurationVar(&expires, "expires-in", expires, "how long the token is valid; negative for one that has expired already")
	return cmd
}
