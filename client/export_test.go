package client

// SetRandom replaces the randomness of all pauses by a fixed value from 0 to 1.
func (c *Client) SetRandom(v float64) { c.random = func() float64 { return v } }

// QueueSize is how many events may wait for the application.
const QueueSize = queueSize
