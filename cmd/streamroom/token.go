package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
)

func newToken() *cobra.Command {
	var user, service string
	addr, expires := "http://"+defaultAddr, time.Hour
	cmd := &cobra.Command{
		Use: "token --user NAME|--service NAME", GroupID: groupTry, Args: cli.NoArguments,
		Short: "Print a token for a local user or service",
		Long: "Sign a user or a service in at a running `streamroom local` and print the token, a JWT.\n" +
			"There is no password: every user name is accepted, and of services those that `local` was given,\n" +
			"bot by default. For a deployed Streamroom a token comes from its user pool.",
		Example: `  streamroom token --user alice
  streamroom token --service bot
  curl -H "Authorization: Bearer $(streamroom token --user alice)" http://127.0.0.1:8080/api/rooms`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			kind, name := "user", user
			switch {
			case user == "" && service == "":
				return cli.Usage(errors.New("--user or --service is missing"))
			case user != "" && service != "":
				return cli.Usage(errors.New("--user and --service exclude each other"))
			case service != "":
				kind, name = "service", service
			}
			token, err := askToken(cmd.Context(), addr, kind, name, expires)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), token)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&user, "user", "", "user `name` to sign in with")
	flags.StringVar(&service, "service", "", "`name` of the service to get a token for")
	cli.URL(flags, &addr, "addr", "http://"+defaultAddr, "`URL` of the running streamroom local")
	// Not cli.Wait, which refuses the negative ones.
	flags.DurationVar(&expires, "expires-in", expires, "how long the token is valid; negative for one that has expired already")
	return cmd
}
