package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

// maxGroup is how many waiting writes share one commit. A hundred spread its cost as well
// as more would, and delay readers of an engine in memory by a few milliseconds at most.
const maxGroup = 128

// job is one write on its way through the writer.
type job struct {
	ctx   context.Context
	run   func(*tx) error
	alone bool // not to share its commit: it changes the catalog
	err   error
	done  chan struct{}
}

// tx is the writer's connection inside a transaction that the jobs of a group share. A
// job that finds its request at fault returns an *Error before it writes anything; any
// other error undoes the whole group.
type tx struct {
	*conn
	e        *Engine
	seq      uint64   // of the newest stream record
	appended []string // the shards to which stream records were written, one for each
	commit   func()   // what the job wants done once its work is durable
}

// write runs f on the writer and returns once what it wrote is durable. A request whose
// context ends before its turn is not run; one that ends later may or may not have been.
func (e *Engine) write(ctx context.Context, f func(*tx) error) error {
	return e.submit(&job{ctx: ctx, run: f, done: make(chan struct{})})
}

// writeAlone is write for a change of the catalog: commit makes the change visible before
// any other write runs.
func (e *Engine) writeAlone(ctx context.Context, f func(*tx) error) error {
	return e.submit(&job{ctx: ctx, run: f, alone: true, done: make(chan struct{})})
}

func (e *Engine) submit(j *job) error {
	select {
	case e.jobs <- j:
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-e.closing:
		return errClosed
	}
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done():
		return j.ctx.Err()
	case <-e.stopped:
		// the writer may have finished the job just before it stopped
		select {
		case <-j.done:
			return j.err
		default:
			return errClosed
		}
	}
}

var errClosed = errors.New("the table engine is closed")

// runWriter serves jobs, in groups, until the engine closes.
func (e *Engine) runWriter() {
	defer close(e.stopped)
	group := make([]*job, 0, maxGroup)
	var next *job
	for {
		group = group[:0]
		if next == nil {
			select {
			case next = <-e.jobs:
			case <-e.closing:
				return
			}
		}
		group = append(group, next)
		alone := next.alone
		next = nil
		runtime.Gosched() // on busy processors, others who are about to write join the group
		for !alone && len(group) < maxGroup && next == nil {
			select {
			case j := <-e.jobs:
				if j.alone {
					next = j
				} else {
					group = append(group, j)
				}
				continue
			default:
			}
			break
		}
		e.runGroup(group)
	}
}

// runGroup runs jobs in one transaction and sets the error of each. A job that panics fails
// alone: its group is undone, and the others run again without it.
func (e *Engine) runGroup(group []*job) {
	if k := e.commitGroup(group); k != nil {
		k.wait()
	}
}

// commitGroup is runGroup without a wait for the checkpointer, which it returns; nil in
// memory.
func (e *Engine) commitGroup(group []*job) *checkpointer {
	e.storage.writing.Lock()
	defer e.storage.writing.Unlock()
	for len(group) > 0 {
		panicked := e.tryGroup(group)
		if panicked == nil {
			break
		}
		e.log.Error().Err(panicked.err).Msg("a write panicked and was undone")
		close(panicked.done)
		group = slices.DeleteFunc(group, func(j *job) bool { return j == panicked })
	}
	for _, j := range group {
		close(j.done)
	}
	if e.checkpointer != nil {
		e.checkpointer.wrote(e.storage.writer)
	}
	return e.checkpointer
}

// tryGroup commits a group or undoes it. If it undid it because a job panicked, it returns
// that job.
func (e *Engine) tryGroup(group []*job) (panicked *job) {
	t := &tx{conn: e.storage.writer, e: e, seq: e.seq.Load()}
	err := t.exec(e.storage.group.begin)
	for _, j := range group {
		if err != nil {
			break
		}
		if j.err = j.ctx.Err(); j.err != nil {
			continue
		}
		j.err = guard(func() error { return j.run(t) })
		if _, refused := errors.AsType[*Error](j.err); j.err != nil && !refused {
			err = j.err
			if _, ok := errors.AsType[*panicError](err); ok {
				panicked = j
			}
		}
	}
	if err == nil {
		err = t.exec(e.storage.group.commit)
	}
	if err != nil {
		var undoing error
		for _, sql := range e.storage.group.rollback {
			undoing = errors.Join(undoing, t.exec(sql))
		}
		if panicked != nil && undoing == nil {
			return panicked
		}
		err = fmt.Errorf("write to storage: %w", errors.Join(err, undoing))
		e.log.Error().Err(err).Msg("a group of writes was undone")
		for _, j := range group {
			j.err = err
		}
		return nil
	}
	e.seq.Store(t.seq)
	if t.commit != nil {
		t.commit()
	}
	e.subscribers.note(t.appended, t.commit != nil)
	if len(t.appended) > 0 { // before writers get their answer: readers are then awake
		e.subscribers.wake()
	}
	return nil
}

// panicError is a panic turned into an error, so that it fails one request and not the process.
type panicError struct {
	value any
	stack []byte
}

func (p *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// guard runs f and returns its error, or a *panicError if it panics.
func guard(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{value: value, stack: debug.Stack()}
		}
	}()
	return f()
}
