package cost

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Shows are the tables that can be asked for, with what they are about.
var shows = map[string]func(Workload) Table{
	"month":    month,
	"message":  message,
	"idle":     idle,
	"pings":    pings,
	"actions":  actions,
	"backends": backends,
	"figures":  figures,
	"parts":    parts,
	"people":   people,
	"prices":   prices,
	"rooms":    rooms,
}

// Shows lists the names that Show knows.
func Shows() []string { return slices.Sorted(maps.Keys(shows)) }

// Show makes a table of a workload that Check accepts:
//
//   - month: the bill of each design, by service
//   - message: a million messages, by service, at the workload's pace and busy
//   - idle: a month of connections that do nothing, by what they do on their own
//   - pings: the same by the interval between pings
//   - actions: what each action asks of AWS
//   - parts: a million busy messages, connects, syncs and pings, by service
//   - people: what it costs that users learn of each other
//   - backends: what events, pushes and services add
//   - figures: the numbers by which the design is judged
//   - prices: what is multiplied with
//   - rooms: one message, by the size of the room
func Show(name string, w Workload) (Table, error) {
	show, ok := shows[name]
	if !ok {
		return Table{}, fmt.Errorf("invalid --show %q: want one of %v", name, Shows())
	}
	return show(w), nil
}

// billed makes a table of bills with the same lines, of which those stay that
// cost something.
func billed(title string, head []string, bills []Bill) Table {
	t := Table{Title: title, Head: append([]string{"service", "what"}, head...)}
	service := ""
	for i, line := range bills[0] {
		row := []Cell{text(line.Service), text(line.Item)}
		costs := false
		for _, b := range bills {
			row = append(row, dollars(b[i].Dollars))
			costs = costs || b[i].Dollars > 0
		}
		if !costs {
			continue
		}
		if line.Service == service {
			row[0] = text("")
		}
		service = line.Service
		t.Rows = append(t.Rows, row)
	}
	total := []Cell{text("total"), text("")}
	for _, b := range bills {
		total = append(total, dollars(b.Total()))
	}
	t.Rows = append(t.Rows, total)
	return t
}

func month(w Workload) Table {
	bills := make([]Bill, 0, 3)
	for _, name := range Designs() {
		bills = append(bills, Of(name, w).Bill(w.Free))
	}
	t := billed(fmt.Sprintf(
		"A month of %s connections and %s messages in rooms of %d, %s prices of %s",
		count(float64(w.Connections)), count(w.messages()), w.Members, Region, PricesOf,
	), Designs(), bills)
	return t.withAmounts(bills[0])
}

// withAmounts adds what the first design uses as the third column.
func (t Table) withAmounts(b Bill) Table {
	t.Head = slices.Insert(t.Head, 2, "used by "+Streamroom)
	service := ""
	for i, row := range t.Rows {
		if row[0].text != "" {
			service = row[0].text
		}
		cell := text("")
		for _, line := range b {
			if line.Service == service && line.Item == row[1].text && line.Amount > 0 {
				unit := line.Unit
				if line.Amount == 1 {
					unit = strings.TrimSuffix(unit, "s")
				}
				cell = text(amount(line.Amount).text + " " + unit)
			}
		}
		t.Rows[i] = slices.Insert(row, 2, cell)
	}
	return t
}

// Busy is a room's pace at which ten messages share a window of lastmessage.
var Busy = Window / 10

// Messages is what a number of messages cost in a design, without reads.
func Messages(name string, w Workload, n float64) Bill {
	d := designs[name]
	u := d.message(w).Plus(w.files()).Times(n).usage(false)
	if w.Traced {
		u.Traces = 0
		month := max(w.messages(), 1)
		for _, invocations := range d.message(w).Plus(w.files()).Times(month).Invocations {
			u.Traces += traces(invocations) * n / month
		}
	}
	if d.events {
		perMessage, _, _ := d.operations(w)
		u.EventOperations = n * perMessage
	}
	u.StoredLogGB = 0 // kept by the month, which is the workload's
	return u.Bill(false)
}

func message(w Workload) Table {
	var head []string
	var bills []Bill
	for _, name := range Designs() {
		for _, pace := range []time.Duration{w.Pace, Busy} {
			at := w
			at.Pace = pace
			if name == Classic && pace == Busy {
				continue // it joins nothing
			}
			head = append(head, name+", every "+duration(pace))
			if name == Classic {
				head[len(head)-1] = name
			}
			bills = append(bills, Messages(name, at, million))
		}
	}
	return billed(fmt.Sprintf("A million messages of %d bytes in rooms of %d", w.Content, w.Members), head, bills)
}

// Idle is what connections of a design cost in a month in which nothing is sent,
// by what they do on their own, without what stands there and without users.
func Idle(name string, w Workload) (parts []string, cost map[string]float64) {
	d := designs[name]
	w.MessagesPerSecond = 0
	interval := w.Session
	if d.events && w.Session >= Session {
		interval = d.longestSession
	}
	sessions := w.every(interval)
	minutes := float64(w.Connections) * Month.Minutes()
	open := Usage{ConnectionMinutes: minutes + sessions*d.overlap.Minutes()}
	begin := d.visits(w).Plus(d.session(w).Times(sessions)).usage(w.Traced)
	if d.events {
		_, _, perSession := d.operations(w)
		open = Usage{EventMinutes: minutes}
		begin.EventOperations = sessions * perSession
	}
	cost = map[string]float64{"open": open.Bill(w.Free).Total(), "new connections": begin.Bill(w.Free).Total()}
	if d.ping != nil {
		cost["pings"] = d.ping(w).Times(w.every(w.PingEvery)).usage(w.Traced).Bill(w.Free).Total()
	}
	if d.sync != nil {
		cost["syncs"] = d.sync(w).Times(w.every(w.SyncEvery)).usage(w.Traced).Bill(w.Free).Total()
	}
	return []string{"open", "pings", "syncs", "new connections"}, cost
}

func idle(w Workload) Table {
	t := Table{
		Title: fmt.Sprintf("A month of %s connections of users with %d rooms that send nothing", count(float64(w.Connections)), w.Rooms),
		Head:  append([]string{"what"}, Designs()...),
	}
	names := map[string]string{
		"open": "connection minutes", "pings": "pings every " + duration(w.PingEvery),
		"syncs": "syncs every " + duration(w.SyncEvery), "new connections": "new connections, and a sync " + often(w.visit()),
	}
	parts, _ := Idle(Streamroom, w)
	total := []Cell{text("total")}
	rows := make([][]Cell, len(parts))
	for i, part := range parts {
		rows[i] = []Cell{text(names[part])}
	}
	for _, name := range Designs() {
		_, cost := Idle(name, w)
		sum := 0.0
		for i, part := range parts {
			rows[i] = append(rows[i], dollars(cost[part]))
			sum += cost[part]
		}
		total = append(total, dollars(sum))
	}
	t.Rows = slices.Concat(rows, [][]Cell{total})
	return t
}

// deadAfter is how long clients wait for a pong, and jitter how much later than
// on average the latest ping is sent.
const (
	deadAfter = 15 * time.Second
	jitter    = 36.0 / 35
)

func pings(w Workload) Table {
	t := Table{
		Title: fmt.Sprintf("Pings of %s connections in a month", count(float64(w.Connections))),
		Head:  []string{"interval", "noticed after, on average", "at most", "pings", "cost"},
	}
	for _, every := range []time.Duration{time.Minute, 4 * time.Minute, 7 * time.Minute, PingEvery} {
		n := w.every(every)
		t.Rows = append(t.Rows, []Cell{
			text(duration(every)), text(duration(every/2 + deadAfter)),
			text(duration(time.Duration(float64(every)*jitter) + deadAfter)),
			amount(n), dollars(Ping().Times(n).usage(w.Traced).Bill(w.Free).Total()),
		})
	}
	return t
}

// often says how often something happens that happens after each interval.
func often(interval time.Duration) string {
	if interval == 24*time.Hour {
		return "a day"
	}
	return "every " + duration(interval)
}

// duration renders minutes with a decimal where they are not whole.
func duration(d time.Duration) string {
	if d < time.Minute {
		return short(d.Seconds()) + " s"
	}
	return short(d.Minutes()) + " min"
}

// rooms leaves out what slices add to a room of more than MaxMembers: one or two
// percent, by docs/large-rooms.md.
func rooms(w Workload) Table {
	t := Table{
		Title: fmt.Sprintf("One message to a room with %v of its members connected", w.Online),
		Head:  append([]string{"members"}, Designs()...),
	}
	for _, members := range []int{10, 100, 1000, 10_000, 100_000} {
		at := w
		at.Members = members
		row := []Cell{amount(float64(members))}
		for _, name := range Designs() {
			row = append(row, dollars(Messages(name, at, 1).Total()))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func prices(w Workload) Table {
	t := Table{
		Title: "Prices in " + Region + " of " + PricesOf,
		Head:  []string{"service", "what", "price", "of", "free a month", "page"},
	}
	for _, line := range (Usage{Tier: w.Tier}).Bill(false) {
		of, times := line.Unit, 1.0
		if line.Price.Each() < 0.001 {
			of, times = "a million "+of, million
		} else {
			of = strings.TrimSuffix(of, "s")
		}
		each := number(line.Price.Each()*times, func(d float64) string { return "$" + strconv.FormatFloat(d, 'g', 6, 64) })
		t.Rows = append(t.Rows, []Cell{
			text(line.Service), text(line.Item), each, text(of), amount(line.Price.Free), text(line.Price.Page),
		})
	}
	return t
}
