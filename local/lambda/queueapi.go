package lambda

import (
	"crypto/md5" //nolint:gosec // a checksum that SDKs verify
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"github.com/streamroom/streamroom/shared/eventsource"
)

// QueueTarget begins X-Amz-Target in requests to SQS.
const QueueTarget = "AmazonSQS."

// Limits and defaults of SQS.
const (
	defaultVisibility = 30 * time.Second
	maxVisibility     = 12 * time.Hour
	maxReceived       = 10
	maxQueueBody      = 1 << 20
)

// QueueAPI shows a Queue to an SDK client as SQS shows the on-failure queue:
// ReceiveMessage, DeleteMessage, ChangeMessageVisibility, its batch and
// GetQueueAttributes, whatever the queue's URL. What was received stays hidden
// for its visibility timeout, in this process's memory only.
type QueueAPI struct {
	queue *Queue
	clock clockwork.Clock

	mu       sync.Mutex
	received map[string]receipt // by entry
}

// receipt is the last time that an entry was received.
type receipt struct {
	handle string
	until  time.Time // hidden
	count  int
}

// NewQueueAPI returns a QueueAPI on a queue. Visibility runs on clock.
func NewQueueAPI(queue *Queue, clock clockwork.Clock) *QueueAPI {
	return &QueueAPI{queue: queue, clock: clock, received: map[string]receipt{}}
}

// queueRequest has the fields of all requests.
type queueRequest struct {
	ReceiptHandle       string
	MaxNumberOfMessages int
	VisibilityTimeout   *int // seconds
	Entries             []queueRequestEntry
}

// queueRequestEntry is one of a batch.
type queueRequestEntry struct {
	ID string `json:"Id"`
	queueRequest
}

// queueError is one of SQS's errors.
type queueError struct{ kind, message string }

func (e *queueError) Error() string { return e.message }

// ServeHTTP implements http.Handler.
func (q *QueueAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in queueRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQueueBody)).Decode(&in); err != nil {
		refuseQueue(w, &queueError{"SerializationException", "want a JSON object of SQS"})
		return
	}
	var out any
	var err error
	switch operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), QueueTarget); operation {
	case "ReceiveMessage":
		out, err = q.receive(in)
	case "DeleteMessage":
		out, err = struct{}{}, q.delete(in)
	case "ChangeMessageVisibility":
		out, err = struct{}{}, q.hide(in)
	case "ChangeMessageVisibilityBatch":
		out = q.hideAll(in)
	case "GetQueueAttributes":
		out = q.attributes()
	default:
		err = &queueError{"UnknownOperationException", "The local queue leaves out the operation " + operation}
	}
	if err != nil {
		refuseQueue(w, err)
		return
	}
	reply(w, http.StatusOK, out)
}

func refuseQueue(w http.ResponseWriter, err error) {
	var refused *queueError
	if !errors.As(err, &refused) {
		reply(w, http.StatusInternalServerError, map[string]string{"__type": "com.amazonaws.sqs#InternalError", "message": err.Error()})
		return
	}
	reply(w, http.StatusBadRequest, map[string]string{"__type": "com.amazonaws.sqs#" + refused.kind, "message": refused.message})
}

// queueMessage is a received entry.
type queueMessage struct {
	MessageID     string `json:"MessageId"`
	ReceiptHandle string
	MD5OfBody     string
	Body          string
	Attributes    map[string]string
}

func (q *QueueAPI) receive(in queueRequest) (any, error) {
	visibility, err := in.visibility()
	if err != nil {
		return nil, err
	}
	limit := min(max(in.MaxNumberOfMessages, 1), maxReceived)
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	messages := []queueMessage{}
	for _, entry := range q.queue.List() {
		before := q.received[entry.ID]
		if now.Before(before.until) {
			continue
		}
		body, err := json.Marshal(entry.Failure)
		if err != nil {
			return nil, err
		}
		sum := md5.Sum(body) //nolint:gosec // a checksum that SDKs verify
		this := receipt{handle: entry.ID + "/" + newUUID(), until: now.Add(visibility), count: before.count + 1}
		q.received[entry.ID] = this
		messages = append(messages, queueMessage{
			MessageID: entry.ID, ReceiptHandle: this.handle, MD5OfBody: hex.EncodeToString(sum[:]), Body: string(body),
			Attributes: map[string]string{
				"ApproximateReceiveCount": strconv.Itoa(this.count),
				"SentTimestamp":           sentTimestamp(entry.Failure),
			},
		})
		if len(messages) == limit {
			break
		}
	}
	return map[string]any{"Messages": messages}, nil
}

// sentTimestamp is when a failure was sent, in ms.
func sentTimestamp(f eventsource.Failure) string {
	sent, err := time.Parse(time.RFC3339, f.Timestamp)
	if err != nil {
		return "0"
	}
	return strconv.FormatInt(sent.UnixMilli(), 10)
}

func (in queueRequest) visibility() (time.Duration, error) {
	if in.VisibilityTimeout == nil {
		return defaultVisibility, nil
	}
	visibility := time.Duration(*in.VisibilityTimeout) * time.Second
	if visibility < 0 || visibility > maxVisibility {
		return 0, &queueError{"InvalidParameterValue", "VisibilityTimeout must be 0 to 43200 seconds"}
	}
	return visibility, nil
}

// entry returns the entry that a receipt handle is for.
func (in queueRequest) entry() (string, error) {
	id, _, ok := strings.Cut(in.ReceiptHandle, "/")
	if !ok {
		return "", &queueError{"ReceiptHandleIsInvalid", "The input receipt handle is invalid."}
	}
	return id, nil
}

func (q *QueueAPI) delete(in queueRequest) error {
	id, err := in.entry()
	if err != nil {
		return err
	}
	if err := q.queue.Delete(id); err != nil && !errors.Is(err, ErrNoEntry) { // SQS says nothing of one that is gone
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.received, id)
	return nil
}

func (q *QueueAPI) hide(in queueRequest) error {
	id, err := in.entry()
	if err != nil {
		return err
	}
	visibility, err := in.visibility()
	if err != nil {
		return err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.clock.Now()
	last := q.received[id]
	if last.handle != in.ReceiptHandle || !now.Before(last.until) {
		return &queueError{"MessageNotInflight", "The message is not in flight."}
	}
	last.until = now.Add(visibility)
	q.received[id] = last
	return nil
}

func (q *QueueAPI) hideAll(in queueRequest) any {
	type result struct {
		ID          string `json:"Id"`
		Code        string `json:",omitempty"`
		SenderFault bool   `json:",omitempty"`
	}
	answer := map[string][]result{"Successful": {}, "Failed": {}}
	for _, entry := range in.Entries {
		var refused *queueError
		switch err := q.hide(entry.queueRequest); {
		case err == nil:
			answer["Successful"] = append(answer["Successful"], result{ID: entry.ID})
		case errors.As(err, &refused):
			answer["Failed"] = append(answer["Failed"], result{entry.ID, refused.kind, true})
		}
	}
	return answer
}

func (q *QueueAPI) attributes() any {
	now := q.clock.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	entries, hidden := q.queue.List(), 0
	for _, entry := range entries {
		if now.Before(q.received[entry.ID].until) {
			hidden++
		}
	}
	return map[string]any{"Attributes": map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(len(entries) - hidden),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
	}}
}
