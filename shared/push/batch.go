package push

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigatewaymanagementapi/types"
)

// batch is the work that one Push hands out to its workers. A post is with one
// worker or in the queue, never both, so its result needs no lock.
type batch struct {
	*Pusher
	credentials aws.Credentials
	posts       []Post
	results     []Delivery

	mu      sync.Mutex
	next    int     // the first post that was never tried
	retries []retry // posts to be tried again, in the order in which they failed
	refused int     // posts that were refused at first
}

// retry is a post to be tried again, not before due.
type retry struct {
	post int
	due  time.Time
}

// take hands out the next post. Retries come last: as long as there are posts
// that were never tried, no worker waits. ok is false when nothing is left; posts
// that other workers still have in flight are retried by those workers.
func (b *batch) take() (r retry, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next < len(b.posts) {
		r.post = b.next
		b.next++
		return r, true
	}
	if len(b.retries) > 0 {
		r, b.retries = b.retries[0], b.retries[1:]
		return r, true
	}
	return r, false
}

// requeue puts a post back that has failed for the given number of attempts.
func (b *batch) requeue(post, attempts int) {
	backoff := min(FirstBackoff<<(attempts-1), MostBackoff)
	backoff = backoff/2 + time.Duration(b.jitter()*float64(backoff/2))
	due := b.now().Add(backoff)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries = append(b.retries, retry{post, due})
}

// work sends posts until none is left.
func (b *batch) work(ctx context.Context) {
	var hash payloadHash
	for {
		r, ok := b.take()
		if !ok {
			return
		}
		result := &b.results[r.post]
		if err := b.wait(ctx, r.due); err != nil {
			if result.Err == nil {
				result.Err = fmt.Errorf("not sent: %w", err)
			} else {
				result.Err = fmt.Errorf("%w; not sent again: %w", result.Err, err)
			}
			continue
		}
		post := b.posts[r.post]
		if post.ConnectionID == "" || len(post.Data) == 0 {
			result.Err = ErrEmpty
			continue
		}
		slow, timeout := b.slow.has(post.ConnectionID, b.now()), PostTimeout
		if slow {
			timeout = SlowTimeout
		}
		var retryable bool
		result.Attempts++
		result.Outcome, retryable, result.Err = b.try(ctx, post, timeout, &hash)
		throttled := b.throttled(*result)
		if retryable && result.Attempts < attempts(slow, throttled) {
			b.requeue(r.post, result.Attempts)
			continue
		}
		b.note(ctx, post.ConnectionID, *result, throttled)
	}
}

func attempts(slow, throttled bool) int {
	switch {
	case throttled:
		return ThrottledAttempts
	case slow:
		return 1
	}
	return Attempts
}

// throttled counts a post that was refused, and reports whether it is the
// account's requests that are refused rather than this connection's frames.
func (b *batch) throttled(d Delivery) bool {
	if !refused(d.Err) {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.Attempts == 1 {
		b.refused++
	}
	return b.refused > max(throttledPosts, b.next/throttledShare)
}

// refused reports whether a post was answered with 429: too many requests, or a
// client whose buffer is full.
func refused(err error) bool {
	var limit *types.LimitExceededException
	return errors.As(err, &limit)
}

// note remembers whether a connection takes its frames. What the batch's own
// end or the service's trouble cut short says nothing of the connection.
func (b *batch) note(ctx context.Context, connectionID string, d Delivery, throttled bool) {
	switch {
	case d.Outcome != Undelivered:
		b.slow.remove(connectionID)
	case ctx.Err() == nil && !throttled && (errors.Is(d.Err, errNoAnswer) || refused(d.Err)):
		b.slow.add(connectionID, b.now())
	}
}

// try makes one attempt. retryable means that another one may succeed.
func (b *batch) try(ctx context.Context, post Post, timeout time.Duration, hash *payloadHash) (o Outcome, retryable bool, err error) {
	attempt, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := b.request(attempt, post, hash.of(post.Data))
	if err != nil {
		return Undelivered, false, err
	}
	resp, err := b.transport.RoundTrip(req)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Undelivered, false, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	case attempt.Err() != nil:
		// Not tried again: a connection that hangs would take a worker for as
		// long again, and the frame may well have arrived.
		return Undelivered, false, errNoAnswer
	default:
		return Undelivered, true, fmt.Errorf("send post: %w", err)
	}
	defer resp.Body.Close()
	return readAnswer(attempt, resp)
}

// errNoAnswer is the error of a post that took longer than it may.
var errNoAnswer = fmt.Errorf("no answer in the time for one post: %w", context.DeadlineExceeded)

// wait returns when a post is due, or with the reason why it can't be sent any
// more.
func (b *batch) wait(ctx context.Context, due time.Time) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if due.IsZero() {
		return nil
	}
	timer := time.NewTimer(due.Sub(b.now()))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
