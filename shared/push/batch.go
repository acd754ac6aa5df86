package push

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	began       time.Time

	mu      sync.Mutex
	next    int     // the first post that was never tried
	retries []retry // posts to be tried again, in the order in which they failed
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
	due := b.now().Add(b.pauses.Pause(attempts))
	b.mu.Lock()
	defer b.mu.Unlock()
	b.retries = append(b.retries, retry{post, due})
}

// work sends posts until none is left.
func (b *batch) work(ctx context.Context) {
	stamp := stamp{credentials: b.credentials}
	for {
		r, ok := b.take()
		if !ok {
			return
		}
		result := &b.results[r.post]
		err := b.wait(ctx, r.due)
		switch post := b.posts[r.post]; {
		case err != nil && result.Err == nil:
			result.Cut = b.clients.state(post.ConnectionID, b.now()) == reads
			result.Err = fmt.Errorf("not sent: %w", err)
		case err != nil:
			result.Err = fmt.Errorf("%w; not sent again: %w", result.Err, err)
		case post.ConnectionID == "" || len(post.Data) == 0 && !post.Close:
			result.Err = ErrEmpty
		default:
			b.send(ctx, r.post, &stamp)
		}
	}
}

// send makes one attempt of a post, and decides what follows from its result.
func (b *batch) send(ctx context.Context, post int, stamp *stamp) {
	id, result := b.posts[post].ConnectionID, &b.results[post]
	state, timeout := b.clients.state(id, b.now()), PostTimeout
	switch state {
	case hangs:
		result.Err = errSlow
		return
	case slow:
		timeout = SlowTimeout
	case reads, suspect:
	}
	again := result.Attempts > 0
	result.Attempts++
	var retryable bool
	used := b.skew.get()
	result.Outcome, retryable, result.Err = b.try(ctx, b.posts[post], timeout, used, stamp)
	if result.Err != nil && b.skew.correct(result.Err, used, b.now()) {
		result.Attempts++
		result.Outcome, retryable, result.Err = b.try(ctx, b.posts[post], timeout, b.skew.get(), stamp)
	}
	b.observe(id, state, again, *result)
	if retryable && result.Attempts < b.attempts(state, *result) {
		b.requeue(post, result.Attempts)
		return
	}
	b.note(ctx, id, state, again, result)
}

// attempts returns how often a post is tried that failed for now.
func (b *batch) attempts(state clientState, d Delivery) int {
	switch {
	case state == slow && refused(d.Err):
		return 1
	case state == reads && refused(d.Err) && d.Attempts >= Attempts && b.account.throttled(b.now()):
		return ThrottledAttempts
	}
	return Attempts
}

// observe counts an answer towards the question whether the account is throttled.
// Connections that have refused frames before don't count.
func (b *batch) observe(id string, state clientState, again bool, d Delivery) {
	switch {
	case d.Outcome == Delivered:
		b.account.took(b.now(), again)
	case state == reads && refused(d.Err):
		b.account.refused(id, b.now())
	}
}

// refused reports whether a post was answered with 429: too many requests, or a
// client whose buffer is full.
func refused(err error) bool {
	var limit *types.LimitExceededException
	return errors.As(err, &limit)
}

// note remembers whether a connection takes its frames. What the batch's own
// end or the service's trouble cut short says nothing of the connection.
func (b *batch) note(ctx context.Context, id string, state clientState, again bool, d *Delivery) {
	now := b.now()
	switch {
	case d.Outcome == Gone:
		b.clients.forget(id)
	case d.Outcome == Delivered:
		if state != reads {
			b.clients.took(id)
		}
	case errors.Is(d.Err, errEnded):
		d.Cut = !again && state == reads
	case ctx.Err() != nil:
	case errors.Is(d.Err, errNoAnswer):
		b.clients.hung(id, now)
	case refused(d.Err):
		// It is the connection's own if others were served at the same time.
		b.clients.refused(id, now, b.account.served(b.began, now) && !b.account.throttled(now))
	}
}

// try makes one attempt, signed with a skew. retryable means that another one may
// succeed.
func (b *batch) try(
	ctx context.Context, post Post, timeout, skew time.Duration, stamp *stamp,
) (o Outcome, retryable bool, err error) {
	deadline, attempt := time.Now().Add(timeout), ctx
	var resp *http.Response
	if b.direct != nil {
		resp, err = b.direct.RoundTripBy(b.request(ctx, post, b.now().Add(skew), stamp), deadline)
	} else {
		var cancel context.CancelFunc
		attempt, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
		resp, err = b.transport.RoundTrip(b.request(attempt, post, b.now().Add(skew), stamp))
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return Undelivered, false, fmt.Errorf("%w: %w", errEnded, context.Cause(ctx))
	case !time.Now().Before(deadline):
		// Not tried again: a connection that hangs would take a worker for as
		// long again, and the frame may well have arrived.
		return Undelivered, false, errNoAnswer
	default:
		return Undelivered, true, fmt.Errorf("send post: %w", err)
	}
	defer resp.Body.Close()
	return readAnswer(attempt, resp)
}

var (
	// errNoAnswer is the error of a post that took longer than it may.
	errNoAnswer = fmt.Errorf("no answer in the time for one post: %w", context.DeadlineExceeded)

	// errEnded is the error of a post in flight at the batch's end.
	errEnded = errors.New("no answer in time")

	// errSlow is the error of a post to a connection that lately took too long
	// over each.
	errSlow = errors.New("not sent: the connection takes no frames")
)

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
