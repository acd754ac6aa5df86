package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// where says which Streamroom to work on: the local one by its endpoint, or a
// deployed one by its environment or the names of its parts.
type where struct {
	endpoint, env, region, table, function, queue string
}

func (w *where) flags(flags *flag.FlagSet) {
	flags.StringVar(&w.endpoint, "endpoint", "", "`URL` of the table of a running `streamroom local`, http://"+defaultDynamoDBAddr)
	flags.StringVar(&w.env, "env", "", "deployed `environment`, dev or prod: finds table, functions and queue")
	flags.StringVar(&w.region, "region", "", "AWS `region`; by default that of the AWS configuration")
	flags.StringVar(&w.table, "table", "", "`name` of the table, instead of the environment's")
}

// sendingFlags are those of commands that invoke functions and use the queue.
func (w *where) sendingFlags(flags *flag.FlagSet) {
	w.flags(flags)
	flags.StringVar(&w.function, "function", "", "`name` or ARN of the deployed function that is the target, instead of the environment's")
	flags.StringVar(&w.queue, "queue", "", "`URL` of the on-failure queue, instead of the environment's")
}

// toMap is what a checkpoint keeps of it.
func (w *where) toMap() map[string]string {
	return map[string]string{
		"endpoint": w.endpoint, "env": w.env, "region": w.region, "table": w.table, "function": w.function, "queue": w.queue,
	}
}

func (w *where) fromMap(m map[string]string) {
	*w = where{m["endpoint"], m["env"], m["region"], m["table"], m["function"], m["queue"]}
}

func (w *where) check() error {
	switch {
	case w.endpoint != "" && w.env != "":
		return usageError{errors.New("use --endpoint or --env, not both")}
	case w.endpoint == "" && w.env == "" && w.table == "":
		return usageError{errors.New("say which Streamroom: --endpoint http://" + defaultDynamoDBAddr +
			" for `streamroom local`, --env for a deployed one, or --table")}
	case w.endpoint == "":
		return nil
	}
	if u, err := url.Parse(w.endpoint); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return usageError{fmt.Errorf("--endpoint %q is no URL such as http://%s", w.endpoint, defaultDynamoDBAddr)}
	}
	return nil
}

// open finds the Streamroom. target is the function that --function names.
func (w *where) open(ctx context.Context, target string) (replay.Clients, replay.Deployment, error) {
	var d replay.Deployment
	if err := w.check(); err != nil {
		return replay.Clients{}, d, err
	}
	w.endpoint = strings.TrimRight(w.endpoint, "/")
	c, err := w.aws(ctx)
	if err != nil {
		return replay.Clients{}, d, err
	}
	switch {
	case w.endpoint != "":
		d = replay.Deployment{Table: local.TableName, Queue: w.endpoint + "/000000000000/failures", Functions: map[string]string{}}
		for _, m := range topology.StreamMappings() {
			d.Functions[m.Function] = m.Function
		}
	case w.env != "":
		if d, err = replay.Find(ctx, c, w.env); err != nil {
			return replay.Clients{}, d, err
		}
	default:
		d.Functions = map[string]string{}
	}
	if w.table != "" {
		d.Table = w.table
	}
	if w.queue != "" {
		d.Queue = w.queue
	}
	if w.function != "" {
		d.Functions[target] = w.function
	}
	return replay.NewClients(c), d, nil
}

// aws is how to reach it, on AWS by its default credential chain.
func (w *where) aws(ctx context.Context) (aws.Config, error) {
	if w.endpoint != "" {
		return replay.Local(w.endpoint, http.DefaultTransport), nil
	}
	var options []func(*config.LoadOptions) error
	if w.region != "" {
		options = append(options, config.WithRegion(w.region))
	}
	c, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return c, fmt.Errorf("load the AWS configuration: %w", err)
	}
	if c.Region == "" {
		return c, usageError{errors.New("no region is configured; use --region")}
	}
	return c, nil
}
