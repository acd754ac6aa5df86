package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
)

func newUsers() *cobra.Command {
	users := &cobra.Command{
		Use: "users", GroupID: groupOperate,
		Short:   "End the connections of a user",
		Example: "  streamroom users disconnect --user alice --env prod",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return cli.Usage(unknown(cmd, args[0]))
			}
			return cli.Usage(errors.New("a command is missing: disconnect"))
		},
	}
	users.AddCommand(newDisconnect())
	return users
}

func newDisconnect() *cobra.Command {
	var w where
	var user string
	cmd := &cobra.Command{
		Use: "disconnect --user ID --env NAME|--endpoint URL", Args: cli.NoArguments,
		Short: "End all connections of a user",
		Long: `End all connections of a user: their sockets are closed within a second. A token that
has not ended opens new ones, so sign the user out at the issuer first. The id is
that of the token, in lower case where the deployment ignores case.`,
		Example: `  streamroom users disconnect --user alice --env prod
  streamroom users disconnect --user alice --endpoint http://127.0.0.1:8000`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" {
				return cli.Usage(errors.New("--user is missing"))
			}
			if err := chat.ValidateUserID(user); err != nil {
				return cli.Usage(fmt.Errorf("invalid --user %q: want a user id", user))
			}
			return disconnect(cmd.Context(), w, user, cmd.OutOrStdout())
		},
	}
	w.flags(cmd)
	cmd.Flags().StringVar(&user, "user", "", "`id` of the user")
	return cmd
}

func disconnect(ctx context.Context, w where, user string, stdout io.Writer) error {
	clients, deployment, err := w.open(ctx, "")
	if err != nil {
		return w.explain(err)
	}
	store := dynamo.New(clients.Table, deployment.Table, time.Now)
	n, err := chat.NewSessions(store, nil, time.Now).Disconnect(ctx, user)
	if err != nil {
		return w.explain(err)
	}
	fmt.Fprintf(stdout, "%s of %s.\n", things(n, "connection")+" ended", user)
	return nil
}
