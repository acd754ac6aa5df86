package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/operate/cli"
)

// commands returns all commands, with those below others.
func commands(parent *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{parent}
	for _, c := range parent.Commands() {
		all = append(all, commands(c)...)
	}
	return all
}

// arguments returns the command line for a command.
func arguments(c *cobra.Command, more ...string) []string {
	return append(strings.Fields(c.CommandPath())[1:], more...)
}

func TestHelp_EveryCommandExplainsItself(t *testing.T) {
	for _, c := range commands(newRoot()) {
		for _, flag := range []string{"--help", "-h"} {
			code, stdout, stderr := tool(t, arguments(c, flag)...)
			if code != exitDone || stderr != "" || strings.Count(stdout, "Usage:\n") != 1 {
				t.Errorf("%s %s: exit code %d\n%s%s", c.CommandPath(), flag, code, stdout, stderr)
			}
		}
		if c.Example == "" && c.Name() != "version" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || len(c.Short) > 70 {
			t.Errorf("%s: invalid short help %q: want 1 to 70 characters without a full stop", c.CommandPath(), c.Short)
		}
		for line := range strings.Lines(c.Long + "\n" + c.Example) {
			if len([]rune(line)) > 100 {
				t.Errorf("%s: a line of the help is longer than 100 characters: %s", c.CommandPath(), line)
			}
		}
	}
}

// Operators find each command in README.md and, with those below it, in docs/operations.md.
func TestHelp_PagesNameTheCommandsOfOperators(t *testing.T) {
	var pages [2]string
	for i, file := range []string{"../../README.md", "../../docs/operations.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pages[i] = strings.Join(strings.Fields(string(text)), " ")
	}
	for _, top := range newRoot().Commands() {
		if top.GroupID != groupOperate {
			continue
		}
		if !strings.Contains(pages[0], top.CommandPath()+" ") && !strings.Contains(pages[0], top.CommandPath()+"`") {
			t.Errorf("README.md does not name %s: add it to Deploy and operate", top.CommandPath())
		}
		for _, c := range commands(top) {
			if !c.HasSubCommands() && !strings.Contains(pages[1], c.CommandPath()) {
				t.Errorf("docs/operations.md does not name %s: say there when to run it, and which permissions it needs", c.CommandPath())
			}
		}
	}
}

func TestHelp_ListsCommandsByGroup(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		code, stdout, stderr := tool(t, args...)
		if code != exitDone || stderr != "" {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
		for _, want := range []string{"Try it:", "\n  local ", "Deploy and operate:", "\n  smoke ", "\n  completion ", "\n  version "} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v lacks %q:\n%s", args, want, stdout)
			}
		}
	}
	code, stdout, stderr := tool(t)
	if code != exitUsage || stdout != "" || !strings.Contains(stderr, "Deploy and operate:") {
		t.Errorf("without arguments: exit code %d, stdout %q, stderr:\n%s", code, stdout, stderr)
	}
}

// The ends of errors of flags for URLs and times.
const (
	localURL = `want a URL such as http://127.0.0.1:8080; see `
	tableURL = `want a URL such as http://127.0.0.1:8000; see `
	wsURL    = `want a URL such as wss://abc123.execute-api.eu-central-1.amazonaws.com/prod; see `
	apiURL   = `want a URL such as https://abc123.execute-api.eu-central-1.amazonaws.com; see `
	moment   = `want a time such as 2026-01-31T09:00:00Z, or a duration such as 2h or 30m; see `
)

// usageErrors has a call for each flag with a check of its own, and for each way
// in which a command line can be invalid, with what is printed.
var usageErrors = map[string]string{
	"lcoal":                           `streamroom: unknown command "lcoal" (did you mean local?); see streamroom --help`,
	"lcoal --memory":                  `streamroom: unknown command "lcoal" (did you mean local?); see streamroom --help`,
	"serve":                           `streamroom: unknown command "serve"; see streamroom --help`,
	"--memory":                        `streamroom: unknown flag --memory; see streamroom --help`,
	"local --port 80":                 `streamroom local: unknown flag --port; see streamroom local --help`,
	"local -addr 127.0.0.1:1":         `streamroom local: unknown flag -addr (did you mean --addr?); see streamroom local --help`,
	"local -addr=127.0.0.1:1":         `streamroom local: unknown flag -addr (did you mean --addr?); see`,
	"local -q":                        `streamroom local: unknown flag -q; see`,
	"local now":                       `streamroom local: unexpected argument "now"; see`,
	"local --memory=maybe":            `streamroom local: invalid --memory "maybe": want true or false; see`,
	"local --dynamodb-endpoint x":     `streamroom local: invalid --dynamodb-endpoint "x": want a URL such as http://127.0.0.1:8001; see`,
	"local --origin chat.example.com": `streamroom local: invalid --origin "chat.example.com": want an origin such as https://chat.example.com, without a path; see`,
	"local --origin https://chat.example.com/":   `streamroom local: invalid --origin "https://chat.example.com/": want an origin`,
	"local --origin *":                           `streamroom local: invalid --origin "*": want an origin`,
	"token":                                      `streamroom token: --user or --service is missing; see`,
	"token --user a --service bot":               `streamroom token: --user and --service exclude each other; see`,
	"local --review x":                           `streamroom local: invalid --review "x": want a URL such as http://127.0.0.1:9000/; see`,
	"local --retention-days -1":                  `streamroom local: invalid --retention-days -1: want 1 to 36500, or 0 to keep messages forever; see`,
	"local --review-failure x":                   `streamroom local: invalid --review-failure "x": want allow or deny; see`,
	"local --sync x":                             `streamroom local: invalid --sync "x": want normal or full; see`,
	"local --event-content":                      `streamroom local: --event-content needs --events or --push; see`,
	"local --service Bot":                        `streamroom local: invalid --service "Bot": want a name such as bot or news-feed; see`,
	"users":                                      `streamroom users: a command is missing: disconnect; see`,
	"users ban":                                  `streamroom users: unknown command "ban"; see`,
	"users disconnect --env dev":                 `streamroom users disconnect: --user is missing; see`,
	"users disconnect --user a#b --env dev":      `streamroom users disconnect: invalid --user "a#b": want a user id; see`,
	"users disconnect --user a":                  `streamroom users disconnect: one of --endpoint, --env and --table is missing`,
	"token --user":                               `streamroom token: --user needs a value; see`,
	"token --user a --addr ftp://h":              `streamroom token: invalid --addr "ftp://h": ` + localURL,
	"token --user a --expires-in 1":              `streamroom token: invalid --expires-in "1": want a duration such as 30s or 2h; see`,
	"chat --addr x":                              `streamroom chat: invalid --addr "x": ` + localURL,
	"chat --addr=":                               `streamroom chat: invalid --addr "": ` + localURL,
	"chat --ws http://h":                         `streamroom chat: invalid --ws "http://h": ` + wsURL,
	"chat --api ws://h":                          `streamroom chat: invalid --api "ws://h": ` + apiURL,
	"smoke --addr x":                             `streamroom smoke: invalid --addr "x": ` + localURL,
	"smoke --endpoint https://h":                 `streamroom smoke: invalid --endpoint "https://h": ` + wsURL,
	"smoke --api x":                              `streamroom smoke: invalid --api "x": ` + apiURL,
	"smoke --timeout 0s":                         `streamroom smoke: --timeout must be positive; see`,
	"smoke --timeout x":                          `streamroom smoke: invalid --timeout "x": want a duration such as 30s or 2h; see`,
	"smoke --token t":                            `streamroom smoke: a deployed Streamroom needs --endpoint, --api and --token; see`,
	"replay":                                     "streamroom replay: one of --endpoint, --env and --table is missing; for `streamroom local` it is --endpoint http://127.0.0.1:8000; see",
	"replay --endpoint x":                        `streamroom replay: invalid --endpoint "x": ` + tableURL,
	"replay --endpoint http://x --env dev":       `streamroom replay: use --endpoint or --env, not both; see`,
	"replay --from yesterday":                    `streamroom replay: invalid --from "yesterday": ` + moment,
	"replay --to 2026-01-31":                     `streamroom replay: invalid --to "2026-01-31": ` + moment,
	"replay --from 1h --to 2h":                   `want a time before`,
	"replay --source nowhere":                    `streamroom replay: invalid --source "nowhere": want table, stream, failures or file; see`,
	"replay --target nowhere":                    `streamroom replay: invalid --target "nowhere": want lastmessage, fanout or none; see`,
	"replay --target fanout --apply":             `add --deliver`,
	"replay --entity message,cat":                `"cat"`,
	"replay --rate -1":                           `streamroom replay: --rate must not be negative; see`,
	"replay --read-rate x":                       `streamroom replay: invalid --read-rate "x": want a number such as 200; see`,
	"replay --attempts x":                        `streamroom replay: invalid --attempts "x": want a whole number; see`,
	"replay --resume x --from 2h":                `streamroom replay: --from does not go with --resume, which takes it from the checkpoint; see`,
	"replay --nothing":                           `streamroom replay: unknown flag --nothing; see`,
	"replay x":                                   `streamroom replay: unexpected argument "x"; see`,
	"failures":                                   `streamroom failures: the command is missing: want list, show, retry or drop; see streamroom failures --help`,
	"failures lsit":                              `streamroom failures: unknown command "lsit" (did you mean list?); see streamroom failures --help`,
	"failures show":                              `streamroom failures show: show needs exactly one id, got 0; see streamroom failures show --help`,
	"failures show a b":                          `streamroom failures show: show needs exactly one id, got 2; see`,
	"failures drop":                              `streamroom failures drop: drop needs at least one id; see`,
	"failures list abc":                          `streamroom failures list: unexpected argument "abc"; see`,
	"failures retry --target none":               `streamroom failures retry: invalid --target "none": want lastmessage or fanout; see`,
	"failures retry --rate -1":                   `streamroom failures retry: --rate must not be negative; see`,
	"failures list --table x --region us-east-1": `unknown bucket of failures`,
	"verify":                   `streamroom verify: one of --endpoint, --env and --table is missing`,
	"verify --env staging":     `streamroom verify: invalid --env "staging": want dev or prod; see streamroom verify --help`,
	"replay --env=":            `streamroom replay: invalid --env "": want dev or prod; see`,
	"failures list --env Prod": `streamroom failures list: invalid --env "Prod": want dev or prod; see`,
	"verify --settle -1s":      `streamroom verify: --settle must not be negative; see`,
	"verify --leftover x":      `streamroom verify: invalid --leftover "x": want a duration such as 30s or 2h; see`,
	"verify --read-rate -1":    `streamroom verify: --read-rate must not be negative; see`,
	"restore --env dev":        `streamroom restore: --from is missing: the name of the table that was restored from a backup; see`,
	"restore --from x --table y --region us-east-1 --entity connection": `streamroom restore: invalid --entity "connection": want message, room, member, ban, profile; see`,
	"erase --env dev":                             `streamroom erase: --user is missing: the id of the user to erase; see`,
	"erase --env dev --user a#b":                  `streamroom erase: invalid --user "a#b": invalid userId: want no '#' and no control characters; see`,
	"erase --table x --region us-east-1 --user a": `streamroom erase: --attachments is missing: the name of the bucket that has the table's files; see`,
	"export --env dev":                            `streamroom export: want one of --user and --room; see`,
	"export --env dev --room r --user u":          `streamroom export: want one of --user and --room; see`,
	"export --env dev --room r#":                  `streamroom export: invalid --room "r#": invalid chatRoomId: want only the characters`,
	"push-key now":                                `streamroom push-key: unexpected argument "now"; see`,
	"version now":                                 `streamroom version: unexpected argument "now"; see`,

	"cost --members 1":       `streamroom cost: invalid --members 1: want 2 to 2000; docs/large-rooms.md has larger rooms; see streamroom cost --help`,
	"cost --members many":    `streamroom cost: invalid --members "many": want a whole number; see`,
	"cost --online 30":       `streamroom cost: invalid --online 30: want a share above 0 and up to 1, such as 0.3; see`,
	"cost --pace 0s":         `streamroom cost: --pace must be positive; see`,
	"cost --show year":       `streamroom cost: invalid --show "year": want actions, backends, figures, idle, message, month, parts, people, pings, prices or rooms; see`,
	"cost --tier free":       `streamroom cost: invalid --tier "free": want lite, essentials or plus; see`,
	"cost --json --markdown": `streamroom cost: use --json or --markdown, not both; see`,
}

func TestRun_UsageErrorsAreOneLine(t *testing.T) {
	for call, want := range usageErrors {
		code, stdout, stderr := tool(t, strings.Fields(call)...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("streamroom %s: exit code %d, stdout %q, stderr %q; want one line with %q", call, code, stdout, stderr, want)
		}
	}
}

func TestURLFlag_AcceptsBothSchemesAndDropsSlashes(t *testing.T) {
	for text, want := range map[string]string{
		"http://h:1/": "http://h:1", "https://h/stage//": "https://h/stage", "http://h": "http://h", "": "",
	} {
		var got string
		flags := newVersion().Flags()
		cli.URL(flags, &got, "url", "http://127.0.0.1:8080", "")
		if err := flags.Parse([]string{"--url=" + text}); err != nil || got != want {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
}

func TestOriginFlag_IsWhatBrowsersSend(t *testing.T) {
	var got []string
	flags := newVersion().Flags()
	cli.Origins(flags, &got, "origin", "")
	given := []string{"--origin=HTTPS://Chat.Example.com", "--origin", "https://a.example:443", "--origin", "http://a.example:80", "--origin", "http://10.0.0.7:5173", "--origin", "http://[::1]:80"}
	want := []string{"https://chat.example.com", "https://a.example", "http://a.example", "http://10.0.0.7:5173", "http://[::1]"}
	if err := flags.Parse(given); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestCompletion_ScriptsAndValues(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, stdout, stderr := tool(t, "completion", shell); code != exitDone || !strings.Contains(stdout, "streamroom") || stderr != "" {
			t.Errorf("%s: exit code %d, %d bytes, %s", shell, code, len(stdout), stderr)
		}
	}
	for call, want := range map[string]string{
		"replay --source":         "table\nstream\nfailures\nfile\n",
		"replay --target":         "lastmessage\nfanout\nnone\n",
		"failures retry --target": "lastmessage\nfanout\n",
		"verify --env":            "dev\nprod\n",
		"replay --env":            "dev\nprod\n",
	} {
		args := append([]string{"__complete"}, strings.Fields(call)...)
		if code, stdout, _ := tool(t, append(args, "")...); code != exitDone || !strings.HasPrefix(stdout, want) {
			t.Errorf("%s: exit code %d, got %q, want %q", call, code, stdout, want)
		}
	}
}

func TestVersion(t *testing.T) {
	code, stdout, stderr := tool(t, "version")
	if code != exitDone || stderr != "" || !strings.HasPrefix(stdout, "streamroom ") || !strings.Contains(stdout, "Go         go1.") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	var out bytes.Buffer
	err := printVersion(&out, &debug.BuildInfo{
		GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "c9d76a0"},
			{Key: "vcs.time", Value: "2026-11-28T06:00:00Z"},
			{Key: "vcs.modified", Value: "true"},
			{Key: "GOOS", Value: "linux"},
			{Key: "GOARCH", Value: "arm64"},
		},
	})
	want := `streamroom v1.2.3
commit     c9d76a0 of 2026-11-28T06:00:00Z, with uncommitted changes
Go         go1.26.8 linux/arm64
`
	if err != nil || out.String() != want {
		t.Errorf("got %q, %v; want %q", &out, err, want)
	}
}

// fullDisk takes n writes, and then no more.
type fullDisk struct{ n int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if d.n--; d.n < 0 {
		return 0, syscall.ENOSPC
	}
	return len(p), nil
}

// A command that can't write what it was asked for fails, and says why.
func TestRun_OutputThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"version", "help", "cost --connections 10", "chat --help", "completion bash"} {
		var stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(args), strings.NewReader(""), &fullDisk{}, &stderr)
		if code != exitFailed || !strings.HasSuffix(stderr.String(), ": no space left on device\n") || strings.Count(stderr.String(), "\n") != 1 {
			t.Errorf("%s on a full disk: exit code %d, stderr %q", args, code, stderr.String())
		}
	}
}
