package eventsource

// MaxEventBytes is the most that an event may have: the limit of a synchronous
// invocation's request ("Lambda quotas": 6 MB).
const MaxEventBytes = 6 << 20

// Limit is what one event still has room for.
type Limit struct{ records, bytes int }

// NewLimit returns the limit of an event of at most batchSize records.
func NewLimit(batchSize int) Limit {
	return Limit{records: batchSize, bytes: MaxEventBytes - len(eventHead) - len(eventTail)}
}

// Add counts a record of size bytes. It returns false, and does not count
// it, if the event has no room for it. A record that is too large for any event
// is an event of its own.
func (l *Limit) Add(size int) bool {
	first := l.bytes == MaxEventBytes-len(eventHead)-len(eventTail)
	if l.records < 1 || (size+1 > l.bytes && !first) {
		return false
	}
	l.records--
	l.bytes -= size + 1
	return true
}

// Full reports whether the event has its most records.
func (l *Limit) Full() bool { return l.records < 1 }
