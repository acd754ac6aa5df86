package main

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Plan says what load is made.
type Plan struct {
	Users   int `json:"users"`   // each with one connection
	Rooms   int `json:"rooms"`   // each of Members users
	Members int `json:"members"` // users follow each other from room to room, and begin again at the first

	// Rate is the messages a second over all rooms, sent by the clock whatever
	// comes back. Where it is 0, Window messages of each room are under way: the
	// next is sent when all members have one of them.
	Rate   float64 `json:"rate"`
	Window int     `json:"window"`

	Bytes       int           `json:"bytes"`       // of a message's content, about
	ConnectRate float64       `json:"connectRate"` // connections a second
	WarmUp      time.Duration `json:"warmUp"`      // messages that are accounted for and not measured
	For         time.Duration `json:"for"`
	Drain       time.Duration `json:"drain"` // for messages to arrive after the last was sent
	Late        time.Duration `json:"late"`  // a delivery that took longer is counted as late
}

// What a plan may ask for: more is a typing mistake, and one machine
// does not make it.
const (
	maxUsers   = 60_000 // a machine's ports to one address
	maxRooms   = 100_000
	maxBytes   = 16_384 // Streamroom's longest content
	minBytes   = 32     // room for the number that a message is known by
	maxSeconds = 7_000  // API Gateway ends a connection after two hours
)

func (p Plan) check() error {
	switch {
	case p.Users < 1 || p.Users > maxUsers:
		return fmt.Errorf("invalid --users %d: want 1 to %d", p.Users, maxUsers)
	case p.Rooms < 1 || p.Rooms > maxRooms:
		return fmt.Errorf("invalid --rooms %d: want 1 to %d", p.Rooms, maxRooms)
	case p.Members < 1 || p.Members > p.Users:
		return fmt.Errorf("invalid --members %d: want 1 to the %d of --users", p.Members, p.Users)
	case math.IsNaN(p.Rate) || p.Rate < 0 || p.Rate > 1e6:
		return fmt.Errorf("invalid --rate %v: want 0 to 1000000 messages a second", p.Rate)
	case p.Rate > 0 && p.Window > 0:
		return errors.New("--rate and --window exclude each other: a rate is kept whatever comes back, a window waits for it")
	case p.Window < 0 || p.Window > 10_000:
		return fmt.Errorf("invalid --window %d: want 1 to 10000 messages of a room", p.Window)
	case p.Bytes < minBytes || p.Bytes > maxBytes:
		return fmt.Errorf("invalid --bytes %d: want %d to %d", p.Bytes, minBytes, maxBytes)
	case !(p.ConnectRate > 0) || p.ConnectRate > 1e5:
		return fmt.Errorf("invalid --connect-rate %v: want up to 100000 connections a second", p.ConnectRate)
	case p.For > maxSeconds*time.Second:
		return fmt.Errorf("invalid --for %s: want 0 to %s, since API Gateway ends a connection after two hours", p.For, maxSeconds*time.Second)
	}
	return nil
}

// member returns the user who is a room's n-th member.
func (p Plan) member(room, n int) int { return (room*p.Members + n) % p.Users }

// roomsOf returns each user's rooms, and which member of them the user is.
func (p Plan) roomsOf() []map[int]int {
	rooms := make([]map[int]int, p.Users)
	for room := range p.Rooms {
		for n := range p.Members {
			user := p.member(room, n)
			if rooms[user] == nil {
				rooms[user] = map[int]int{}
			}
			rooms[user][room] = n
		}
	}
	return rooms
}

// connectAt and sendAt are when, after the start of their phase, the n-th
// connection is to be opened and the n-th message to be sent.
func (p Plan) connectAt(n int) time.Duration { return at(n, p.ConnectRate) }
func (p Plan) sendAt(n int) time.Duration    { return at(n, p.Rate) }

func at(n int, rate float64) time.Duration {
	return time.Duration(float64(n) / rate * float64(time.Second))
}
