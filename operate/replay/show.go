package replay

import (
	"context"
	"errors"
	"iter"
)

func (r *Record) shown(problem error) Shown {
	k := r.key()
	s := Shown{
		Sequence: r.sequence(), At: r.at().UTC(), EventName: string(r.Change.EventName), Entity: r.Key.Kind.String(), PK: k.PK, SK: k.SK,
	}
	if problem != nil {
		s.Problem = problem.Error()
	}
	return s
}

// show shows and saves records.
func (r *run) show(ctx context.Context) (err error) {
	if r.config.Show == 0 && r.config.Save == "" {
		return nil
	}
	var out *saver
	if r.config.Save != "" {
		if out, err = save(r.config.Save); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, out.close(err == nil)) }()
	}
	for record, problem := range r.all(ctx) {
		switch {
		case problem != nil && !errors.Is(problem, errUnreadable):
			return problem
		case problem != nil:
			r.unreadable++
		case !r.wanted(&record):
			continue
		}
		if r.checkpoint.Records < r.config.Show && r.env.Events.Shown != nil {
			r.env.Events.Shown(record.shown(problem))
		}
		r.checkpoint.Records++
		if out == nil && r.checkpoint.Records >= r.config.Show {
			return nil
		}
		if out == nil || record.sequence() == "" {
			continue
		}
		text, err := record.encode(r.config.RunID)
		if err != nil {
			return err
		}
		if err := out.add(text); err != nil {
			return err
		}
	}
	return nil
}

// all gives the records of the source, whichever it is.
func (r *run) all(ctx context.Context) iter.Seq2[Record, error] {
	if r.config.Source != FromFailures {
		return r.source.records(ctx, Position{})
	}
	return func(yield func(Record, error) bool) {
		for _, e := range r.entries {
			for record, err := range r.failures.records(ctx, e) {
				if !yield(record, err) {
					return
				}
			}
		}
	}
}
