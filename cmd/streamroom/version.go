package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Long: `Print what this program was built from: the module's version, the commit, and the
version of Go. Include it in a bug report.`,
		Args: cli.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return errors.New("the program has no build information: build it with Go's modules")
			}
			return printVersion(cmd.OutOrStdout(), info)
		},
	}
}

func printVersion(w io.Writer, info *debug.BuildInfo) error {
	setting := map[string]string{}
	for _, s := range info.Settings {
		setting[s.Key] = s.Value
	}
	commit := "unknown: built outside of the repository, or by `go run`"
	if setting["vcs.revision"] != "" {
		commit = setting["vcs.revision"] + " of " + setting["vcs.time"]
	}
	if setting["vcs.modified"] == "true" {
		commit += ", with uncommitted changes"
	}
	_, err := fmt.Fprintf(w, "streamroom %s\ncommit     %s\nGo         %s %s/%s\n",
		info.Main.Version, commit, info.GoVersion, setting["GOOS"], setting["GOARCH"])
	return err
}
