package erase

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/streamroom/streamroom/operate/throttle"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/backoff"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/dynamo"
	"github.com/streamroom/streamroom/shared/parallel"
	"github.com/streamroom/streamroom/shared/table"
)

const (
	// pageItems is how many items are read at once.
	pageItems = 1_000
	// writesInFlight is how many items are erased at once.
	writesInFlight = 8
	// attempts bounds how often an item is tried again that others change.
	attempts = 8
)

// Files are the files of attachments.
type Files interface {
	// Remove removes files that messages of a room have.
	Remove(ctx context.Context, roomID string, attachmentIDs []string) error
	// RemoveUploads removes what was uploaded for them.
	RemoveUploads(ctx context.Context, roomID string, attachmentIDs []string) error
}

// Config says whom to erase.
type Config struct {
	DB     *dynamodb.Client
	Table  string // its name
	Files  Files
	UserID string // in its normal form
	Apply  bool   // else what there is of the user is counted
	Now    func() time.Time

	ReadRate float64 // read units a second; 0 is as fast as it goes
	Rate     float64 // write units a second; 0 is as fast as it goes

	// Settle is how long after its last change a run waits before it reads again what was
	// sent in the meantime: as long as a send takes that had read what is gone now. Wait
	// waits for it; nil waits by the real clock.
	Settle time.Duration
	Wait   func(context.Context, time.Duration) error

	// Progress gets the number of items read after each page, Left each item that names
	// the user and that no handler knows. Both may be nil.
	Progress func(items int)
	Left     func(table.Key)
}

// Count is how many items of a kind there were, and how many were erased.
type Count struct {
	Found  int `json:"found"`
	Erased int `json:"erased"`
}

// Report is the result of a run. Kinds are those of shared/table; of items of others
// "mention", "quote" and "moderated", which are in messages.
type Report struct {
	Items int              `json:"items"` // read by the scan
	Kinds map[string]Count `json:"kinds"`
	Kept  map[string]int   `json:"kept"` // what goes by itself, within days
	Left  int              `json:"left"` // what names the user and no handler knows

	ReadUnits  float64 `json:"readUnits"`
	WriteUnits float64 `json:"writeUnits"`
	Seconds    float64 `json:"seconds"`
}

// Run erases the user, or counts what there is of them. After an error the report has what
// was done until then.
func Run(ctx context.Context, c Config) (Report, error) {
	if err := chat.ValidateUserID(c.UserID); err != nil {
		return Report{}, err
	}
	m := &meter{Client: c.DB, reads: throttle.New(c.ReadRate), writes: throttle.New(c.Rate)}
	store := dynamo.New(m, c.Table, c.Now)
	if c.Wait == nil {
		c.Wait = backoff.Sleep
	}
	e := &eraser{
		config: c, db: m, store: store, rooms: chat.NewRooms(store, chat.IDs{}, c.Now), changed: map[string]bool{},
		report: Report{Kinds: map[string]Count{}, Kept: map[string]int{}},
	}
	began := c.Now()
	err := e.own(ctx)
	if err == nil {
		err = e.scan(ctx)
	}
	if err == nil {
		err = e.settle(ctx, began)
	}
	e.report.Seconds = c.Now().Sub(began).Seconds()
	e.report.ReadUnits, e.report.WriteUnits = m.used()
	return e.report, err
}

type item = attribute.Item

type eraser struct {
	config Config
	db     *meter
	store  *dynamo.Store
	rooms  *chat.Rooms

	mu      sync.Mutex // guards what follows
	report  Report
	changed map[string]bool // rooms of which the user was a member, or had messages
}

// found is what an item has of the user.
type found struct {
	what []string                    // as a report counts it; none: it has nothing
	kept bool                        // it goes by itself
	do   func(context.Context) error // erases it, and counts that by done
}

// own erases the items of the user's own partition. A dry run leaves them to the scan.
func (e *eraser) own(ctx context.Context) error {
	if !e.config.Apply {
		return nil
	}
	in := &dynamodb.QueryInput{
		TableName: aws.String(e.config.Table), ConsistentRead: aws.Bool(true), Limit: aws.Int32(pageItems),
		KeyConditionExpression:    aws.String("#pk = :pk"),
		ExpressionAttributeNames:  map[string]string{"#pk": table.PK},
		ExpressionAttributeValues: item{":pk": attribute.Text(table.Presence(e.config.UserID).PK)},
	}
	for {
		page, err := e.db.Query(ctx, in)
		if err != nil {
			return fmt.Errorf("read the items of the user: %w", err)
		}
		if err := e.take(ctx, page.Items); err != nil || len(page.LastEvaluatedKey) == 0 {
			return err
		}
		in.ExclusiveStartKey = page.LastEvaluatedKey
	}
}

// scan erases what it meets in the whole table.
func (e *eraser) scan(ctx context.Context) error {
	pages := dynamodb.NewScanPaginator(e.config.DB, &dynamodb.ScanInput{
		TableName: aws.String(e.config.Table), Limit: aws.Int32(pageItems), ConsistentRead: aws.Bool(true),
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("scan the table: %w", err)
		}
		if err := e.db.read(ctx, page.ConsumedCapacity); err != nil {
			return err
		}
		if err := e.take(ctx, page.Items); err != nil {
			return err
		}
		e.mu.Lock()
		e.report.Items += len(page.Items)
		items := e.report.Items
		e.mu.Unlock()
		if e.config.Progress != nil {
			e.config.Progress(items)
		}
	}
	return nil
}

// settle erases what was sent while the run was at work, by sends that had read a message of
// the user, or that they are a member, before it was erased: an answer quotes the one, and a
// mention names the other. The scan may have passed their place by then.
func (e *eraser) settle(ctx context.Context, began time.Time) error {
	if len(e.changed) == 0 {
		return nil
	}
	if err := e.config.Wait(ctx, e.config.Settle); err != nil {
		return fmt.Errorf("wait for sends: %w", err)
	}
	since := table.Millis(began.Add(-chat.StoreWithin).UnixMilli())
	for _, roomID := range slices.Sorted(maps.Keys(e.changed)) {
		pages := dynamodb.NewQueryPaginator(e.db, &dynamodb.QueryInput{
			TableName: aws.String(e.config.Table), ConsistentRead: aws.Bool(true), Limit: aws.Int32(pageItems),
			KeyConditionExpression:   aws.String("#pk = :pk AND #sk BETWEEN :from AND :to"),
			ExpressionAttributeNames: map[string]string{"#pk": table.PK, "#sk": table.SK},
			ExpressionAttributeValues: item{
				":pk": attribute.Text(table.Room(roomID).PK), ":from": attribute.Text(table.MessagePrefix + since),
				":to": attribute.Text(table.MessagePrefix + "~"),
			},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return fmt.Errorf("read what was sent to room %s: %w", roomID, err)
			}
			if err := e.take(ctx, page.Items); err != nil {
				return err
			}
		}
	}
	return nil
}

// note notes a room in which something of the user is erased.
func (e *eraser) note(roomID string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changed[roomID] = true
}

// take erases what some items have of the user, side by side.
func (e *eraser) take(ctx context.Context, items []item) error {
	var tasks []found
	for _, it := range items {
		f, known := e.find(it)
		switch {
		case !known:
			e.leave(attribute.KeyOf(it))
		case f.kept:
			e.keep(f.what)
		case len(f.what) == 0:
		case e.config.Apply:
			tasks = append(tasks, f)
		default:
			e.count(f.what...)
		}
	}
	errs := make([]error, len(tasks))
	parallel.Each(len(tasks), writesInFlight, func(i int) {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = tasks[i].do(ctx)
		}
	})
	return errors.Join(errs...)
}

// find returns what an item has of the user; not known if it names them, and no handler
// says how.
func (e *eraser) find(it item) (f found, known bool) {
	id, _ := table.Parse(attribute.KeyOf(it)) // of no kind, if its key is unknown
	if handle, ok := handlers[id.Kind]; ok {
		if f = handle(e, id, it); len(f.what) > 0 {
			return f, true
		}
		return f, !namesIn(it, e.config.UserID)
	}
	return f, !namesIn(it, e.config.UserID) && !namedByKey(it, e.config.UserID)
}

// Concerns returns what an item has of a user, as a Report counts it, none for nothing;
// known is false if it names them and is of no kind that a run knows.
func Concerns(it attribute.Item, userID string, now func() time.Time) (what []string, known bool) {
	e := &eraser{config: Config{UserID: userID, Now: now}}
	f, known := e.find(it)
	return f.what, known
}

// count counts what was found.
func (e *eraser) count(what ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range what {
		n := e.report.Kinds[name]
		n.Found++
		e.report.Kinds[name] = n
	}
}

// done counts what was found and erased.
func (e *eraser) done(what ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range what {
		n := e.report.Kinds[name]
		n.Found, n.Erased = n.Found+1, n.Erased+1
		e.report.Kinds[name] = n
	}
}

func (e *eraser) keep(what []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, name := range what {
		e.report.Kept[name]++
	}
}

func (e *eraser) leave(k table.Key) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.report.Left++
	if e.config.Left != nil {
		e.config.Left(k)
	}
}
