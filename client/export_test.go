package client

import "time"

// SetRandom replaces the randomness of all pauses by a fixed value from 0 to 1.
func (c *Client) SetRandom(v float64) { c.random = func() float64 { return v } }

// QueueSize is how many events may wait for the application.
const QueueSize = queueSize

// SetWall replaces the device's clock, as far as it is compared with the time that
// passes.
func (c *Client) SetWall(wall func() time.Time) { c.wall = wall }
