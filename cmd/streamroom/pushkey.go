package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/shared/webpush"
)

func newPushKey() *cobra.Command {
	return &cobra.Command{
		Use: "push-key", GroupID: groupOperate, Args: cli.NoArguments,
		Short: "Make a key for Web Push",
		Long: `Make a key for Web Push: the public one goes to stdout's first line, for -c pushKey, the
private one to the second. Keep the private one as a secret parameter of AWS Systems
Manager, and nowhere else. Another key ends all subscriptions of browsers.`,
		Example: `  streamroom push-key`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			private, err := webpush.NewKey()
			if err != nil {
				return err
			}
			public, err := webpush.PublicKey(private)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n%s\n", public, private)
			return err
		},
	}
}
