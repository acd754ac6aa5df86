package cost

import "fmt"

// parts says of which services the parts of a busy message are made, and what a
// connection does on its own, a million of each.
func parts(w Workload) Table {
	w.Pace = Busy
	rows := []named{
		{"a busy message: send and ack", Send(w.Content)},
		{"its broadcast", w.broadcast()},
		{"its share of lastmessage", projection(w)},
		{"together", ownMessage(w)},
		{"connect", Connect(w.indexedRooms())},
		{"disconnect", Disconnect(w.indexedRooms())},
		{fmt.Sprintf("sync %d rooms, nothing new", w.Rooms), Sync(float64(w.Rooms))},
		{"ping and pong", Ping()},
	}
	columns := []struct {
		head  string
		lines func(Line) bool
	}{
		{"gateway", func(l Line) bool { return l.Service == "API Gateway" }},
		{"write units", func(l Line) bool { return l.Item == "write units" }},
		{"read units", func(l Line) bool { return l.Item == "read units" }},
		{"functions", func(l Line) bool { return l.Service == "Lambda" }},
		{"logs", func(l Line) bool { return l.Service == "CloudWatch" }},
		{"data out", func(l Line) bool { return l.Service == "Internet" }},
		{"total", func(Line) bool { return true }},
	}
	t := Table{Title: fmt.Sprintf("The parts of a million of each, in rooms of %d with %v online", w.Members, w.Online), Head: []string{"what"}}
	for _, c := range columns {
		t.Head = append(t.Head, c.head)
	}
	for _, part := range rows {
		used := part.Times(million).usage(false)
		used.StoredLogGB = 0 // kept by the month, which is the workload's
		row := []Cell{text(part.name)}
		for _, c := range columns {
			sum := 0.0
			for _, line := range used.Bill(false) {
				if c.lines(line) {
					sum += line.Dollars
				}
			}
			row = append(row, dollars(sum))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
