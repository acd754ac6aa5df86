package chat

// Post is one encoded frame for one connection.
type Post struct {
	ConnectionID string
	Data         []byte
}

// Outcome is what became of a post.
type Outcome int

// The outcomes of a post.
const (
	Undelivered Outcome = iota // not accepted in time; the room's history has it
	Delivered                  // accepted by the gateway, which is no proof that the client has it
	Gone                       // the connection has ended
)

// Delivery is the result of a post. Err says why it was not delivered.
type Delivery struct {
	Outcome  Outcome
	Attempts int
	Err      error
}
