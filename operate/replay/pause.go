package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/streamroom/streamroom/shared/backoff"
)

// The states of a mapping that a run asks for.
const (
	mappingEnabled  = "Enabled"
	mappingDisabled = "Disabled"
)

const (
	// switchWait is how long a mapping may take to end. AWS says minutes.
	switchWait = 10 * time.Minute
	// switchPoll is the time between two reads of its state.
	switchPoll = time.Second
	// resumeWait is how long to try to enable a mapping again, which is refused
	// while it is still being changed.
	resumeWait = 2 * time.Minute
)

// mappingID finds the mapping of a function on the table's stream.
func mappingID(ctx context.Context, client *lambda.Client, function, streamARN string) (id, state string, err error) {
	out, err := client.ListEventSourceMappings(ctx, &lambda.ListEventSourceMappingsInput{
		FunctionName: aws.String(function), EventSourceArn: aws.String(streamARN),
	})
	if err != nil {
		return "", "", fmt.Errorf("find the mapping of %s: %w", function, err)
	}
	if len(out.EventSourceMappings) == 0 {
		return "", "", fmt.Errorf("the function %s has no mapping on this stream: leave out --pause-mapping", function)
	}
	return aws.ToString(out.EventSourceMappings[0].UUID), aws.ToString(out.EventSourceMappings[0].State), nil
}

// pauseMapping disables a mapping and waits until it has ended.
func pauseMapping(ctx context.Context, client *lambda.Client, id string) error {
	if err := setMapping(ctx, client, id, false); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, switchWait)
	defer cancel()
	for {
		out, err := client.GetEventSourceMapping(ctx, &lambda.GetEventSourceMappingInput{UUID: aws.String(id)})
		if err != nil {
			return fmt.Errorf("read the state of the mapping: %w", err)
		}
		if aws.ToString(out.State) == mappingDisabled {
			return nil
		}
		if err := backoff.Sleep(ctx, switchPoll); err != nil {
			return fmt.Errorf("wait for the mapping to end: %w", err)
		}
	}
}

// resumeMapping enables a mapping again, also after ctx has ended.
func resumeMapping(ctx context.Context, client *lambda.Client, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), resumeWait)
	defer cancel()
	for {
		err := setMapping(ctx, client, id, true)
		var inUse *types.ResourceInUseException
		var conflict *types.ResourceConflictException
		if err == nil {
			return nil
		}
		if !errors.As(err, &inUse) && !errors.As(err, &conflict) || backoff.Sleep(ctx, switchPoll) != nil {
			return fmt.Errorf("the mapping %s is still disabled; enable it with aws lambda update-event-source-mapping --uuid %s --enabled: %w", id, id, err)
		}
	}
}

func setMapping(ctx context.Context, client *lambda.Client, id string, enabled bool) error {
	_, err := client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{UUID: aws.String(id), Enabled: aws.Bool(enabled)})
	if err != nil {
		return fmt.Errorf("switch the mapping: %w", err)
	}
	return nil
}
