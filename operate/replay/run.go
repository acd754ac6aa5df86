package replay

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/eventsource"
	"github.com/streamroom/streamroom/shared/topology"
)

// Env is what a run works on and reports to.
type Env struct {
	Clients    Clients
	Deployment Deployment
	Where      map[string]string // goes into the checkpoint, for the run that resumes it
	Now        func() time.Time
	Events     Events
}

// Events are called as a run proceeds. Each may be nil.
type Events struct {
	Planned  func(Plan)
	Progress func(Progress) // about once a second
	Shown    func(Shown)
	Note     func(string) // a log line
}

// Progress is how far a run has come.
type Progress struct {
	Records    int     `json:"records"`
	Total      int     `json:"total"`
	Failed     int     `json:"failed"`
	PerSecond  float64 `json:"perSecond"`
	SecondsTo  float64 `json:"secondsLeft"`
	Checkpoint string  `json:"checkpoint,omitempty"`
}

// Shown is a record without its content.
type Shown struct {
	Sequence  string    `json:"sequenceNumber"`
	At        time.Time `json:"at"`
	EventName string    `json:"eventName"`
	Entity    string    `json:"entity"`
	PK        string    `json:"pk"`
	SK        string    `json:"sk"`
	Problem   string    `json:"problem,omitempty"`
}

// Summary is the result of a run. It is right also where Run returns an error.
type Summary struct {
	RunID       string   `json:"runId"`
	Applied     bool     `json:"applied"`
	Records     int      `json:"records"` // sent, with those before a resume
	Batches     int      `json:"batches"`
	Invocations int      `json:"invocations"`
	Entries     int      `json:"entries,omitempty"` // removed from the bucket of failures
	Kept        []string `json:"kept,omitempty"`    // entries that still fail, and why
	Unreadable  int      `json:"unreadable"`
	Failed      []Failed `json:"failed"`
	Seconds     float64  `json:"seconds"`
	Checkpoint  string   `json:"checkpoint,omitempty"` // kept, to go on from
}

// progressEvery is how often progress is reported and the checkpoint saved.
const progressEvery = time.Second

// run is the state of one call of Run.
type run struct {
	env     Env
	config  Config
	mapping topology.StreamMapping
	filters eventsource.Filters
	backoff backoff.Policy
	scope   scope
	region  string
	stream  string // the table's, its ARN

	source     source
	failures   *Failures // FromFailures
	entries    []Entry
	checkpoint *Checkpoint
	deliverer  *deliverer
	rate       throttle.Throttle
	total      int
	began      time.Time
	sending    time.Time // when sending began
	sentBefore int       // by the run that this one resumes
	reported   time.Time // progress
	unreadable int
	removed    int
	kept       []string
}

// Run replays. With a checkpoint it continues from there; Config is the
// checkpoint's then, but for rates and what is shown. The error is ctx's if it
// ended first: then the invocation that ran was waited for, and the checkpoint
// saved. Nothing is sent if the plan can't be made.
func Run(ctx context.Context, env Env, c Config, resume *Checkpoint) (Summary, error) {
	c.setDefaults()
	mapping := mappingOf(c.Target)
	if c.BatchSize > 0 {
		mapping.BatchSize = c.BatchSize
	}
	r := &run{env: env, config: c, mapping: mapping, began: env.Now(), checkpoint: resume}
	r.backoff = backoff.Policy{First: c.RetryPause, Max: maxPause, Jitter: 0.5}
	err := r.run(ctx)
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) { // what broke off, broke off for that
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	summary := Summary{
		RunID: c.RunID, Applied: c.Apply && c.Target != ToNone, Unreadable: r.unreadable, Entries: r.removed, Kept: r.kept,
		Seconds: env.Now().Sub(r.began).Seconds(), Failed: []Failed{},
	}
	if at := r.checkpoint; at != nil {
		summary.Records, summary.Batches = at.Records, at.Batches
		if r.deliverer != nil {
			r.takeCounts(at)
			summary.Invocations, summary.Failed = at.Invocations, append(summary.Failed, at.Failed...)
		}
		if r.keepsCheckpoint() && err != nil {
			if _, missing := os.Stat(c.Checkpoint); missing == nil {
				summary.Checkpoint = c.Checkpoint
			}
		}
	}
	return summary, err
}

func (r *run) run(ctx context.Context) (err error) {
	resuming := r.checkpoint != nil
	if r.filters, err = eventsource.ParseFilters(r.mapping.Filters); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if r.config.Apply && r.config.Target != ToNone {
		if err := r.preflight(ctx); err != nil {
			return err
		}
		if r.config.PauseMapping {
			resume, failed := r.pause(ctx)
			if failed != nil {
				return failed
			}
			defer func() { err = errors.Join(err, resume()) }()
		}
	}
	s, err := r.survey(ctx, resuming)
	if err != nil {
		return err
	}
	r.total, r.unreadable = s.records, 0
	r.sending = r.env.Now()
	r.reported = r.sending
	if r.env.Events.Planned != nil {
		r.env.Events.Planned(r.plan(s))
	}
	switch {
	case r.config.Target == ToNone:
		return r.show(ctx)
	case !r.config.Apply:
		return nil
	case r.config.Source == FromFailures:
		return r.redrive(ctx)
	}
	return r.send(ctx)
}

// keepsCheckpoint says whether there is a file: the bucket of failures is one
// itself, and what changes nothing needs none.
func (r *run) keepsCheckpoint() bool {
	return r.config.Apply && r.config.Checkpoint != "" && r.config.Source != FromFailures && r.config.Target != ToNone
}

// open finds what the run works on and compares it with the checkpoint.
func (r *run) open(ctx context.Context) error {
	out, err := r.env.Clients.Table.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: aws.String(r.env.Deployment.Table)})
	if err != nil {
		return fmt.Errorf("describe the table %s: %w", r.env.Deployment.Table, err)
	}
	tableID := aws.ToString(out.Table.TableArn) + " " + aws.ToString(out.Table.TableId)
	r.stream = aws.ToString(out.Table.LatestStreamArn)
	r.region = r.env.Clients.Table.Options().Region
	if r.config.Source == FromStream && r.stream == "" {
		return fmt.Errorf("the table %s has no stream: use --source table", r.env.Deployment.Table)
	}
	if r.config.Selection.To.IsZero() {
		r.config.Selection.To = r.env.Now()
	}
	if r.scope, err = r.config.Selection.scope(ctx, r.env.Clients.Table, r.env.Deployment.Table, r.config.Source); err != nil {
		return err
	}
	if err := r.openSource(); err != nil {
		return err
	}
	r.rate = throttle.New(r.config.Rate)
	if at := r.checkpoint; at != nil {
		switch {
		case at.TableID != tableID:
			return fmt.Errorf("the checkpoint is of another table: %s, and this is %s", at.TableID, tableID)
		case at.Stream != "" && at.Stream != r.stream:
			return fmt.Errorf("the checkpoint is of another stream: %s, and the table's is %s now", at.Stream, r.stream)
		}
		r.sentBefore = at.Records
		return nil
	}
	if r.keepsCheckpoint() {
		if _, err := os.Stat(r.config.Checkpoint); err == nil {
			return fmt.Errorf("%s is the checkpoint of a run that has not completed: continue it with --resume %s, or delete it",
				r.config.Checkpoint, r.config.Checkpoint)
		}
	}
	r.checkpoint = &Checkpoint{
		Version: checkpointVersion, Where: r.env.Where, TableID: tableID, Config: r.config, Started: r.began, Failed: []Failed{},
	}
	if r.config.Source == FromStream {
		r.checkpoint.Stream = r.stream
	}
	return nil
}

func (r *run) openSource() (err error) {
	switch r.config.Source {
	case FromTable:
		r.source = &tableSource{
			db: r.env.Clients.Table, table: r.env.Deployment.Table, scope: r.scope, reads: throttle.New(r.config.ReadRate),
		}
	case FromStream:
		r.source = &streamSource{
			reader: shardReader{client: r.env.Clients.Streams, arn: r.stream, pause: r.config.StreamPause},
			scope:  r.scope, region: r.region,
		}
	case FromFile:
		r.source = &fileSource{path: r.config.File}
	case FromFailures:
		r.failures, err = NewFailures(r.env.Clients, r.env.Deployment, r.config.StreamPause)
	}
	return err
}

// preflight asks Lambda whether the function is there and may be invoked.
func (r *run) preflight(ctx context.Context) error {
	function := r.env.Deployment.Functions[r.config.Target]
	if function == "" {
		return fmt.Errorf("unknown function %s: use --env, or --function with its name", r.config.Target)
	}
	_, err := r.env.Clients.Lambda.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: aws.String(function), InvocationType: types.InvocationTypeDryRun, Payload: []byte(`{}`),
	})
	if err != nil {
		return fmt.Errorf("check that %s can be invoked: %w", function, err)
	}
	r.deliverer = &deliverer{
		client: r.env.Clients.Lambda, function: function, attempts: r.config.Attempts, backoff: r.backoff,
		giveUp: r.config.GiveUp, failed: slices.Clone(r.checkpoint.Failed), invocations: r.checkpoint.Invocations,
	}
	return nil
}

// pause disables the target's mapping. The function that it returns enables it
// again; one that was disabled before stays so, unless the run being resumed did it.
func (r *run) pause(ctx context.Context) (resume func() error, err error) {
	function := r.env.Deployment.Functions[r.config.Target]
	id, state, err := mappingID(ctx, r.env.Clients.Lambda, function, r.stream)
	if err != nil {
		return nil, err
	}
	if state != mappingEnabled && r.checkpoint.Paused != id {
		r.note(fmt.Sprintf("the mapping of %s is not enabled (%s), and stays as it is", function, state))
		return func() error { return nil }, nil
	}
	// If this run is killed, the run that resumes it enables the mapping.
	r.checkpoint.Paused = id
	if err := r.saveCheckpoint(); err != nil {
		return nil, err
	}
	resume = func() error {
		if err := resumeMapping(ctx, r.env.Clients.Lambda, id); err != nil {
			return err
		}
		r.note("the mapping of " + function + " is enabled again")
		return nil
	}
	r.note("pausing the mapping of " + function + "; if this run is killed, enable it with aws lambda update-event-source-mapping --uuid " + id + " --enabled")
	if err := pauseMapping(ctx, r.env.Clients.Lambda, id); err != nil {
		return nil, errors.Join(err, resume())
	}
	return resume, nil
}

func (r *run) note(note string) {
	if r.env.Events.Note != nil {
		r.env.Events.Note(note)
	}
}

// wanted says whether a record is to be sent.
func (r *run) wanted(record *Record) bool {
	return r.scope.includes(record) && r.filters.Match(&record.Change)
}

func (r *run) survey(ctx context.Context, resuming bool) (*survey, error) {
	s := newSurvey(r.wanted)
	if r.config.Source == FromFailures {
		return s, r.surveyFailures(ctx, s)
	}
	if err := r.source.survey(ctx, r.checkpoint.Position, s); err != nil {
		return nil, err
	}
	if file, ok := r.source.(*fileSource); ok {
		if resuming && file.digest != r.checkpoint.Digest {
			return nil, fmt.Errorf("%s has changed since the checkpoint, or is another file", file.path)
		}
		r.checkpoint.Digest = file.digest
	}
	return s, r.countMembers(ctx, s)
}

// send sends all that the source has.
func (r *run) send(ctx context.Context) error {
	if err := r.saveCheckpoint(); err != nil {
		return err
	}
	err := r.sendAll(ctx, r.source.records(ctx, r.checkpoint.Position))
	if err != nil {
		return errors.Join(err, r.saveCheckpoint())
	}
	r.progress(true)
	if r.keepsCheckpoint() {
		if err := os.Remove(r.config.Checkpoint); err != nil {
			return fmt.Errorf("remove the checkpoint of the completed run: %w", err)
		}
	}
	return nil
}

// sendAll sends records in batches.
func (r *run) sendAll(ctx context.Context, records iter.Seq2[Record, error]) error {
	most := batchLimit(r.mapping, r.config.Rate)
	var batch []encodedRecord
	limit := eventsource.NewLimit(most)
	flush := func() error {
		err := r.flush(ctx, batch)
		batch, limit = batch[:0], eventsource.NewLimit(most)
		return err
	}
	for record, err := range records {
		switch {
		case errors.Is(err, errUnreadable):
			r.unreadable++
			continue
		case err != nil:
			return err
		case !r.wanted(&record):
			continue
		}
		if r.config.Target == topology.Fanout {
			record.insertionToDeletion()
		}
		encoded, err := record.encoded(r.config.RunID)
		if err != nil {
			return err
		}
		if !limit.Add(len(encoded.JSON)) {
			if err := flush(); err != nil {
				return err
			}
			limit.Add(len(encoded.JSON))
		}
		batch = append(batch, encoded)
		if limit.Full() {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// flush sends a batch and notes how far that came.
func (r *run) flush(ctx context.Context, batch []encodedRecord) error {
	if len(batch) == 0 {
		return nil
	}
	if err := r.rate.Take(ctx, float64(len(batch))); err != nil {
		return err
	}
	done, err := r.deliverer.deliver(ctx, batch)
	if done > 0 {
		r.checkpoint.Position = batch[done-1].Data.position
		r.checkpoint.Records += done
		r.checkpoint.Batches++
	}
	r.progress(false)
	return err
}

// progress reports how far the run has come and saves it, about once a second.
func (r *run) progress(last bool) {
	now := r.env.Now()
	if !last && now.Sub(r.reported) < progressEvery {
		return
	}
	r.reported = now
	if !last {
		if err := r.saveCheckpoint(); err != nil {
			r.note(err.Error()) // it is written behind anyway, and saved at the end or not
		}
	}
	if r.env.Events.Progress == nil {
		return
	}
	p := Progress{Records: r.checkpoint.Records, Total: r.sentBefore + r.total, Failed: len(r.deliverer.failed)}
	if elapsed := now.Sub(r.sending).Seconds(); elapsed > 0 {
		p.PerSecond = float64(p.Records-r.sentBefore) / elapsed
	}
	if p.PerSecond > 0 {
		p.SecondsTo = max(0, float64(p.Total-p.Records)/p.PerSecond)
	}
	if r.keepsCheckpoint() && !last {
		p.Checkpoint = r.config.Checkpoint
	}
	r.env.Events.Progress(p)
}

// takeCounts copies the counts of the deliverer into a checkpoint.
func (r *run) takeCounts(c *Checkpoint) {
	c.Failed, c.Invocations = r.deliverer.failed, r.deliverer.invocations
}

func (r *run) saveCheckpoint() error {
	if !r.keepsCheckpoint() {
		return nil
	}
	r.takeCounts(r.checkpoint)
	r.checkpoint.Config = r.config
	r.checkpoint.Saved = r.env.Now()
	return r.checkpoint.save(r.config.Checkpoint)
}
