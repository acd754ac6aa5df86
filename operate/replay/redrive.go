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
	defer r.progress(true)
	for i := range r.entries {
		if err := r.redriveEntry(ctx, &r.entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// redriveEntry returns an error that ends the run.
func (r *run) redriveEntry(ctx context.Context, e *Entry) error {
	dropped, sent := r.deliverer.dropped, r.checkpoint.Records
	err := r.sendAll(ctx, r.failures.records(ctx, *e))
	switch {
	case errors.Is(err, errTrimmed):
		r.kept = append(r.kept, err.Error())
		return nil
	case err != nil:
		return err
	case r.deliverer.dropped > dropped:
		r.kept = append(r.kept, e.String()+": records still fail")
		return nil
	}
	if got := r.checkpoint.Records - sent; got < e.Records {
		r.kept = append(r.kept, fmt.Sprintf("%s: only %d of them were sent", e, got))
		return nil
	}
	if err := r.failures.remove(ctx, e); err != nil {
		return err
	}
	r.removed++
	return nil
}
