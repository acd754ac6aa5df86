package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/oklog/ulid/v2"
)

// linearTime bounds the search for an order of one room's operations.
const linearTime = 30 * time.Second

// operation is a send, or a read, of one room. Messages are numbered in the
// order of ids.
type operation struct {
	send   int // -1 for a read
	after  int // a read's: the first number to come, -1 for the newest messages
	limit  int
	result []int
	more   bool
}

// room's state in the model is the set of messages that are stored: one bit of
// a text for each, in the order of ids.
//
// A room is a set, not a log: an id carries the clock of the function that
// minted it, so messages come into the history at places before others. What is
// promised is that every reader sees one set, in the order of ids.
func model(messages int) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return string(make([]byte, (messages+7)/8)) },
		Step: func(state, input, _ any) (bool, any) {
			set, op := state.(string), input.(operation)
			if op.send >= 0 {
				return !has(set, op.send), with(set, op.send)
			}
			return op.reads(set, messages), state
		},
		DescribeOperation: func(input, _ any) string { return fmt.Sprintf("%+v", input) },
	}
}

func has(set string, n int) bool { return set[n/8]&(1<<(n%8)) != 0 }

func with(set string, n int) string {
	bits := []byte(set)
	bits[n/8] |= 1 << (n % 8)
	return string(bits)
}

// reads says whether a set reads like this: up to limit messages, and whether
// there are more.
func (op operation) reads(set string, messages int) bool {
	n, step := op.after, 1
	if op.after < 0 {
		n, step = messages-1, -1
	}
	found := 0
	for ; n >= 0 && n < messages; n += step {
		if !has(set, n) {
			continue
		}
		if found == len(op.result) {
			return op.more && found == op.limit
		}
		if op.result[found] != n {
			return false
		}
		found++
	}
	return found == len(op.result) && !op.more
}

// checkReads looks for an order of a room's sends and reads that explains what
// was read. A send whose outcome was unknown and whose message is there happened at
// some time after it was called, and before any device saw its message.
func (r *run) checkReads(room *room, history []stored, sends []send, reads []read) {
	numbers := make(map[ulid.ULID]int, len(history))
	for i, m := range history {
		numbers[m.id] = i
	}
	seenBy := r.firstSeen(room, reads)
	var operations []porcupine.Operation
	for i, m := range history {
		s := sends[m.number]
		returned := s.returned
		if s.id.IsZero() {
			returned = never
		}
		if at, ok := seenBy[m.id]; ok {
			returned = min(returned, max(at, s.called))
		}
		operations = append(operations, porcupine.Operation{Input: operation{send: i}, Call: s.called, Return: returned})
	}
	var ends []int64
	for _, read := range reads {
		if read.room != room.id {
			continue
		}
		op := operation{send: -1, after: -1, limit: read.page.Limit, more: read.more}
		if read.page.After != "" {
			after, err := ulid.ParseStrict(read.page.After)
			if err != nil {
				continue // it was ours
			}
			op.after, _ = slices.BinarySearchFunc(history, after, func(m stored, id ulid.ULID) int { return m.id.Compare(id) })
			if op.after < len(history) && history[op.after].id == after {
				op.after++
			}
		}
		for _, id := range read.ids {
			n, ok := numbers[id]
			if !ok {
				r.ledger.violate(Violation{Promise: Lost, Room: room.id, Client: read.client, IDs: []string{id.String()}, Detail: "it was read and is not in the history"})
				return
			}
			op.result = append(op.result, n)
		}
		operations = append(operations, porcupine.Operation{Input: op, Call: read.called, Return: read.returned})
		ends = append(ends, read.returned)
	}
	if len(ends) == 0 {
		return
	}
	switch porcupine.CheckOperationsTimeout(model(len(history)), operations, linearTime) {
	case porcupine.Illegal:
		r.ledger.violate(Violation{
			Promise: NotLinearizable, Room: room.id,
			Detail: fmt.Sprintf("no order of its %d sends and %d reads explains what was read", len(history), len(ends)),
		})
	case porcupine.Unknown:
		r.tally.add(&r.tally.Undecided)
	case porcupine.Ok:
		r.tally.add(&r.tally.Linearizable)
	}
}

// firstSeen is when each message of a room was first seen, by a device or in a
// read.
func (r *run) firstSeen(room *room, reads []read) map[ulid.ULID]int64 {
	first := map[ulid.ULID]int64{}
	note := func(id ulid.ULID, at int64) {
		if earlier, ok := first[id]; !ok || at < earlier {
			first[id] = at
		}
	}
	for _, read := range reads {
		if read.room == room.id {
			for _, id := range read.ids {
				note(id, read.returned)
			}
		}
	}
	for _, d := range r.devices {
		for _, v := range d.visits() {
			if v.room == room.id {
				for _, s := range slices.Concat(v.log, v.held) {
					note(s.id, s.at)
				}
			}
		}
	}
	return first
}
