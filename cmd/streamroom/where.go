package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"

	"github.com/streamroom/streamroom/local"
	"github.com/streamroom/streamroom/operate/cli"
	"github.com/streamroom/streamroom/operate/replay"
	"github.com/streamroom/streamroom/shared/topology"
)

// where locates the Streamroom to work on: the local one by its endpoint, or a
// deployed one by its environment or the names of its parts.
type where struct {
	endpoint, env, region, table, function, bucket, attachments string
}

// flags defines the flags for the table.
func (w *where) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	cli.URL(flags, &w.endpoint, "endpoint", "http://"+defaultDynamoDBAddr, "`URL` of the table of a running streamroom local, http://"+defaultDynamoDBAddr)
	cli.Choice(cmd, &w.env, []string{"dev", "prod"}, "env", "deployed `environment`, dev or prod, whose table, functions and bucket to use")
	flags.StringVar(&w.region, "region", "", "AWS `region` (default that of the AWS configuration)")
	flags.StringVar(&w.table, "table", "", "`name` of the table, instead of the environment's")
}

// sendingFlags adds those for functions and the bucket of failures.
func (w *where) sendingFlags(cmd *cobra.Command) {
	w.flags(cmd)
	cmd.Flags().StringVar(&w.function, "function", "", "`name` or ARN of the target function, instead of the environment's")
	cmd.Flags().StringVar(&w.bucket, "bucket", "", "`name` of the bucket of failures, instead of the environment's")
}

// filesFlag adds that for the bucket of attachments.
func (w *where) filesFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.attachments, "attachments", "", "`name` of the bucket of attachments, instead of the environment's")
}

// toMap returns what a checkpoint keeps.
func (w *where) toMap() map[string]string {
	return map[string]string{
		"endpoint": w.endpoint, "env": w.env, "region": w.region, "table": w.table, "function": w.function, "bucket": w.bucket,
	}
}

func (w *where) fromMap(m map[string]string) {
	*w = where{
		endpoint: m["endpoint"], env: m["env"], region: m["region"], table: m["table"], function: m["function"], bucket: m["bucket"],
	}
}

func (w *where) check() error {
	switch {
	case w.endpoint != "" && w.env != "":
		return cli.Usage(errors.New("use --endpoint or --env, not both"))
	case w.endpoint == "" && w.env == "" && w.table == "":
		return cli.Usage(errors.New("one of --endpoint, --env and --table is missing; for `streamroom local` it is --endpoint http://" +
			defaultDynamoDBAddr))
	}
	return nil
}

// open finds the Streamroom. target is the function that --function stands for.
func (w *where) open(ctx context.Context, target string) (replay.Clients, replay.Deployment, error) {
	var d replay.Deployment
	if err := w.check(); err != nil {
		return replay.Clients{}, d, err
	}
	c, err := w.aws(ctx)
	if err != nil {
		return replay.Clients{}, d, err
	}
	switch {
	case w.endpoint != "":
		d = replay.Deployment{
			Table: local.TableName, Bucket: local.FailuresBucket, Attachments: local.AttachmentsBucket, Functions: map[string]string{},
		}
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
	if w.table != "" && w.table != d.Table {
		// The environment's bucket has the files of another table.
		d.Table, d.Attachments = w.table, ""
	}
	if w.attachments != "" {
		d.Attachments = w.attachments
	}
	if w.bucket != "" {
		d.Bucket = w.bucket
	}
	if w.function != "" {
		d.Functions[target] = w.function
	}
	return replay.NewClients(c), d, nil
}

// aws returns the configuration of the AWS clients; on AWS it has the default
// credential chain.
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
		return c, cli.Usage(errors.New("the AWS configuration has no region: use --region"))
	}
	c.Credentials = knownCredentials{c.Credentials}
	return c, nil
}

// knownCredentials marks the errors of finding credentials, which have no type.
type knownCredentials struct{ aws.CredentialsProvider }

type credentialsError struct{ error }

// Retrieve implements aws.CredentialsProvider.
func (k knownCredentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := k.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = credentialsError{err}
	}
	return found, err
}

// explain returns an error that says what to do about one of AWS, or of what
// answers instead.
func (w *where) explain(err error) error {
	if w.endpoint != "" {
		if why := replay.Unanswered(err); why != nil {
			return fmt.Errorf("nothing that speaks DynamoDB answers at %s: %w", w.endpoint, why)
		}
	}
	var unknown credentialsError
	if errors.As(err, &unknown) {
		return fmt.Errorf("no AWS credentials: choose a profile with AWS_PROFILE, or sign in (aws sso login): %w", unknown.error)
	}
	return replay.Explain(err)
}
