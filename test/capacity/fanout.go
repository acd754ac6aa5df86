package main

import (
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// invocation is one of fanout.
type invocation struct {
	run      *run
	sleep    func(time.Duration)
	deadline time.Duration
}

// handle serves a batch and returns how many records, from its first, are done.
func (i *invocation) handle(batch []*part) int {
	started, done := i.run.now, len(batch)
	var slices, messages []int
	for n, p := range batch {
		if p.slice {
			slices = append(slices, n)
		} else {
			messages = append(messages, n)
		}
	}
	if len(messages) > 0 && !i.together(batch, messages) {
		done = messages[0]
	}
	if len(slices) > 0 {
		// The messages and their predecessors, once for all slices of a run.
		i.read(2)
		i.sleep(i.run.draw(readLatency) + i.run.draw(readLatency))
	}
	for first := true; len(slices) > 0; first = false {
		chunk := slices[:min(i.run.SlicesAtOnce, len(slices))]
		if !first && i.run.now-started > topology.FanoutDeadline/2 {
			return min(done, chunk[0])
		}
		parts := make([]*part, len(chunk))
		for n, index := range chunk {
			parts[n] = batch[index]
		}
		if served := i.round(parts); served < len(parts) {
			done = min(done, chunk[served])
		}
		slices = slices[len(chunk):]
	}
	return done
}

// together serves a batch's messages, joined.
func (i *invocation) together(batch []*part, messages []int) bool {
	all := part{members: span{0, i.run.Members}, told: true, cut: true}
	for _, n := range messages {
		all.sent = append(all.sent, batch[n].sent...)
		all.told, all.cut = all.told && batch[n].told, all.cut && batch[n].cut
	}
	ok := i.round([]*part{&all}) == 1
	for _, n := range messages {
		batch[n].told, batch[n].cut = all.told, all.cut
	}
	return ok
}

// round serves some ranges of members side by side: it reads them, cuts those
// that are too large, reads who is there, in the room's index or each one's presence, and
// posts. It returns how many of
// them, from the first, are done.
func (i *invocation) round(parts []*part) int {
	var toRead, units, longest int
	for _, p := range parts {
		n := min(p.members.size(), i.run.SliceAbove+1)
		toRead += n
		longest = max(longest, n)
		units += unitsOf(n)
		if !p.slice {
			units++ // a message and its predecessor; more for several
		}
	}
	if !i.query(units, i.run.slowest(readLatency, len(parts))+pageTime(longest), toRead*int(cpuPerMember)/2) {
		return 0
	}
	var told []*part
	var indexes []int // of those in parts
	users := 0
	for n, p := range parts {
		switch {
		case p.members.size() <= i.run.SliceAbove:
			told, indexes = append(told, p), append(indexes, n)
			users += p.members.size()
		case !i.cut(p):
			return 0
		}
	}
	served := len(parts)
	if i.run.Members > chat.LongIndexAbove {
		if !i.index(told) {
			return 0
		}
	} else if unread := i.presence(users); unread > 0 {
		// As many slices come again as could not be read. That the others of
		// those slices are told now, and twice, is left out.
		failed := min((unread*len(told)+users-1)/users, len(told))
		told = told[:len(told)-failed]
		served = indexes[len(told)]
	}
	i.post(told)
	return served
}

// index reads the connections of ranges in the room's index; false if the SDK gave up.
// That all members are in it is assumed, as after some messages.
func (i *invocation) index(parts []*part) bool {
	rows, longest, units := 0, 0, 0
	for _, p := range parts {
		n := i.run.online(p.members)
		rows += n
		longest = max(longest, n)
		units += max(1, (n*onlineBytes+4095)/4096)
	}
	if rows == 0 && units == 0 {
		return true
	}
	took := i.run.slowest(readLatency, len(parts)) + pageTime(longest*onlineBytes/memberBytes)
	return i.query(units, took, rows*int(cpuPerMember)/2)
}

// query reads from the room's partition; false if the SDK gave up.
func (i *invocation) query(units int, took time.Duration, work int) bool {
	for attempt := range queryAttempts {
		if i.read(units) {
			i.sleep(max(took, cpu(time.Duration(work))))
			return true
		}
		i.run.Throttled++
		i.sleep(i.run.draw(readLatency) + i.run.upTo(queryPause<<attempt))
	}
	return false
}

// read takes units of the room's partition.
func (i *invocation) read(units int) bool {
	room := &i.run.partitions[0]
	if before := *room; room.take(i.run.now, units) < units {
		*room = before
		return false
	}
	i.run.ReadUnits += float64(units)
	i.run.roomUnits += units
	return true
}

// cut reads where to cut a range, stores the slices, and what is left of the
// range as one more.
func (i *invocation) cut(p *part) bool {
	n := min(p.members.size(), i.run.SliceSize*i.run.SlicesPerCut+1)
	for left := n; left > 0; left -= pageBytes / memberBytes {
		page := min(left, pageBytes/memberBytes)
		if !i.query((unitsOf(page)+1)/2, i.run.draw(readLatency)+pageTime(page), page*int(cpuPerBound)) {
			return false
		}
	}
	var slices []*part
	from := p.members.from
	for ; p.members.to-from > i.run.SliceSize && len(slices) < i.run.SlicesPerCut; from += i.run.SliceSize {
		slices = append(slices, &part{members: span{from, from + i.run.SliceSize}, sent: p.sent, slice: true})
	}
	slices = append(slices, &part{members: span{from, p.members.to}, sent: p.sent, slice: true})
	for len(slices) > 0 {
		n := min(slicesPerWrite, len(slices))
		i.sleep(i.run.draw(writeLatency))
		i.run.WriteUnits += float64(n)
		if !p.cut {
			i.run.insert(slices[:n])
		}
		slices = slices[n:]
	}
	p.cut = true
	i.run.Cuts++
	return true
}

// presence reads the connections of users, who are spread over all partitions,
// and returns how many users it had to give up.
func (i *invocation) presence(users int) (unread int) {
	left := make([]int, len(i.run.partitions))
	for p := range left {
		left[p] = users*(p+1)/len(left) - users*p/len(left)
	}
	requests := (users + presenceBatch - 1) / presenceBatch
	took := i.run.slowest(readLatency, min(requests, readsInFlight))
	took += time.Duration(max(requests-readsInFlight, 0)) * readLatency.mean() / readsInFlight
	work := cpu(time.Duration(users) * cpuPerMember / 2)
	for attempt := range batchAttempts {
		if attempt > 0 {
			i.run.Throttled++
			i.sleep(i.run.upTo(batchPause<<(attempt-1)) + i.run.draw(readLatency))
		}
		unread = 0
		for p := range left {
			got := i.run.partitions[p].take(i.run.now, left[p])
			i.run.ReadUnits += float64(got)
			if p == 0 {
				i.run.roomUnits += got
			}
			left[p] -= got
			unread += left[p]
		}
		if attempt == 0 {
			i.sleep(max(took, work))
		}
		if unread == 0 {
			return 0
		}
	}
	return unread
}

// unitsOf returns the read units of a strong read of members.
func unitsOf(members int) int { return (members*memberBytes + 4095) / 4096 }

// pageTime is how much longer a query takes for the size of what it reads.
func pageTime(members int) time.Duration {
	return time.Duration(float64(perMegabyte) * float64(members*memberBytes) / pageBytes)
}
