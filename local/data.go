package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awsdynamodb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"

	"github.com/streamroom/streamroom/local/dynamodb"
	"github.com/streamroom/streamroom/local/inprocess"
	"github.com/streamroom/streamroom/local/lambda"
	"github.com/streamroom/streamroom/local/objects"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/shared/topology"
)

// region is what requests are signed for; nothing checks it.
const region = "us-east-1"

// keys sign what is checked: requests to another DynamoDB, and links to attachments.
var keys = credentials.NewStaticCredentialsProvider("local", "local", "")

// data is what outlives a server with a data folder: the table, the attachments, and how
// far the mappings have read its stream.
type data struct {
	engine      *dynamodb.Engine // nil with another DynamoDB
	aws         aws.Config       // to reach the table
	objects     *objects.Store
	checkpoints *lambda.Checkpoints
	failures    *lambda.Bucket
}

// open opens the data folder and the table's engine in it. table is the engine's
// port, nil with another DynamoDB.
func (d *data) open(ctx context.Context, c Config, table net.Listener, clock clockwork.Clock, log zerolog.Logger) error {
	if c.DataDir != "" {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return fmt.Errorf("cannot use the data folder, see --data: %w", err)
		}
	}
	d.aws = aws.Config{Region: region, Credentials: aws.AnonymousCredentials{}} // who calls within a process need not sign
	if c.DynamoDBEndpoint != "" {
		d.aws.BaseEndpoint, d.aws.Credentials = aws.String(c.DynamoDBEndpoint), keys
	} else {
		engine, err := dynamodb.Open(ctx, dynamodb.Options{
			Path: c.path("table.db"), Fsync: c.Fsync, Clock: clock, Log: log, TTLLag: c.TTLLag,
			Shards: c.Shards, ShardLife: c.ShardLife, Sweep: c.Sweep,
		})
		if err != nil {
			return fmt.Errorf("cannot open the table: %w", err)
		}
		d.engine = engine
		d.aws.BaseEndpoint = aws.String("http://" + table.Addr().String())
		d.aws.HTTPClient = engine
	}
	signer, err := keys.Retrieve(ctx)
	if err != nil {
		return err
	}
	d.objects, err = objects.Open(objects.Config{
		Bucket: AttachmentsBucket, Dir: c.path("objects"), Path: objectsPath, Region: region, Credentials: signer, Now: clock.Now,
		Lifecycle: map[string]time.Duration{topology.PendingPrefix: chat.PendingTime},
	})
	if err != nil {
		return fmt.Errorf("cannot use the data folder, see --data: %w", err)
	}
	if c.DataDir == "" {
		d.checkpoints = lambda.NewMemoryCheckpoints()
	} else if d.checkpoints, err = lambda.OpenCheckpoints(c.path("checkpoints.json"), clock); err != nil {
		return err
	}
	d.failures, err = lambda.OpenBucket(c.path("failures.jsonl"))
	return err
}

// bucket returns the configuration by which functions reach the bucket of attachments,
// whose links and forms lead to a server's URL.
func (d *data) bucket(url string) aws.Config {
	return aws.Config{Region: region, Credentials: keys, BaseEndpoint: aws.String(url + objectsPath), HTTPClient: d.objects}
}

// failed returns the configuration by which functions reach the bucket of failures.
func (d *data) failed() aws.Config {
	return aws.Config{
		Region: region, Credentials: keys, BaseEndpoint: aws.String("http://s3.local"),
		HTTPClient: inprocess.Client{Handler: lambda.NewBucketAPI(d.failures)},
	}
}

// probe finds out whether writes to the table succeed. In another DynamoDB it
// deletes an item that does not exist, which changes nothing.
func (d *data) probe(ctx context.Context) error {
	if d.engine != nil {
		return d.engine.Probe(ctx)
	}
	key := map[string]types.AttributeValue{
		table.PK: &types.AttributeValueMemberS{Value: "PROBE"}, table.SK: &types.AttributeValueMemberS{Value: "PROBE"},
	}
	_, err := awsdynamodb.NewFromConfig(d.aws).DeleteItem(ctx, &awsdynamodb.DeleteItemInput{TableName: aws.String(TableName), Key: key})
	return err
}

// path returns a file in the data folder, or "" without one.
func (c Config) path(name string) string {
	if c.DataDir == "" {
		return ""
	}
	return filepath.Join(c.DataDir, name)
}

func (d *data) close() error {
	var errs []error
	if d.checkpoints != nil {
		if err := d.checkpoints.Close(); err != nil {
			errs = append(errs, fmt.Errorf("save the checkpoints: %w", err))
		}
	}
	if d.engine != nil {
		if err := d.engine.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close the table: %w", err))
		}
	}
	return errors.Join(errs...)
}
