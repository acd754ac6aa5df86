package replay

import (
	"context"
	"errors"
	"fmt"
)

// surveyFailures selects the entries to redrive.
func (r *run) surveyFailures(ctx context.Context, s *survey) error {
	all, err := r.failures.List(ctx)
	if err != nil {
		return err
	}
	if all, err = choose(all, r.config.Entries); err != nil {
		return err
	}
	for _, e := range all {
		if r.config.Target != ToNone && e.Function != r.config.Target {
			if len(r.config.Entries) > 0 {
				return fmt.Errorf("%s is not of the function %s: check --target", e, r.config.Target)
			}
			continue
		}
		r.entries = append(r.entries, e)
		s.records += e.Records
	}
	return nil
}

// redrive sends the records of each entry, and removes the entry once all of
// them succeeded. An entry that can't be sent does not keep the others waiting.
func (r *run) redrive(ctx context.Context) error {
	held, err := r.failures.receive(ctx, workHold)
	chosen := map[string]bool{}
	for _, e := range r.entries {
		chosen[e.ID] = true
	}
	var left []Entry
	for i := range held {
		done := false
		if err == nil && chosen[held[i].ID] {
			done, err = r.redriveEntry(ctx, &held[i])
		}
		if !done {
			left = append(left, held[i])
		}
	}
	r.progress(true)
	// Others may see them now, also if this run failed.
	return errors.Join(err, r.failures.release(context.WithoutCancel(ctx), left))
}

// redriveEntry says whether the entry was removed. Its error is one that ends
// the run.
func (r *run) redriveEntry(ctx context.Context, e *Entry) (done bool, err error) {
	if err := r.failures.hold(ctx, e, workHold); err != nil {
		return false, err
	}
	dropped, sent := r.deliverer.dropped, r.checkpoint.Records
	err = r.sendAll(ctx, r.failures.records(ctx, *e))
	switch {
	case errors.Is(err, errTrimmed):
		r.kept = append(r.kept, err.Error())
		return false, nil
	case err != nil:
		return false, err
	case r.deliverer.dropped > dropped:
		r.kept = append(r.kept, e.String()+": records still fail")
		return false, nil
	}
	if got := r.checkpoint.Records - sent; got < e.Records {
		r.kept = append(r.kept, fmt.Sprintf("%s: the stream gave %d of them", e, got))
		return false, nil
	}
	if err := r.failures.remove(ctx, e); err != nil {
		return false, err
	}
	r.removed++
	return true, nil
}
