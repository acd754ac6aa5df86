package push

import "fmt"

// Post is one encoded frame for one connection. Data may be shared by many
// posts, and must not change afterwards: after a timeout it may still be read.
type Post struct {
	ConnectionID string
	Data         []byte

	// Close ends the connection instead, by DELETE; Data is not sent. What was
	// posted before reaches the client, if it reads.
	Close bool
}

// sent returns the body of the post's request.
func (p Post) sent() []byte {
	if p.Close {
		return nil
	}
	return p.Data
}

// Outcome is the result of a post.
type Outcome int

const (
	// Undelivered means that nothing shows that the frame arrived: it was
	// refused, or failed to the last attempt, or time ran out, perhaps on the
	// way back. The room's history has it. It is the zero value.
	Undelivered Outcome = iota
	// Delivered means that the gateway took the frame. A client whose network is
	// gone may miss it nonetheless.
	Delivered
	// Gone means that the gateway has no such connection: it has ended, or its
	// handshake hasn't.
	Gone
)

// String returns the outcome as one lower-case word, for logs.
func (o Outcome) String() string {
	switch o {
	case Delivered:
		return "delivered"
	case Gone:
		return "gone"
	case Undelivered:
		return "undelivered"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// Delivery is the result of a post, with the reason of a failure.
type Delivery struct {
	Outcome  Outcome
	Attempts int   // requests made; 0 if time ran out before, or none was worth it
	Err      error // nil if the frame was delivered

	// Cut means that the end of ctx alone kept the frame back: the post was not
	// made, or its first attempt was not answered yet. It is not set for
	// connections that are known to be slow, nor for posts that were refused.
	Cut bool
}
