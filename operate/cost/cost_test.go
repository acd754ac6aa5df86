package cost

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/topology"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1) }

func TestPrice_Of(t *testing.T) {
	for _, test := range []struct {
		name   string
		price  Price
		amount float64
		want   float64
	}{
		{"nothing", WebSocketMessage, 0, 0},
		{"a million messages", WebSocketMessage, 1e6, 1},
		{"three billion messages", WebSocketMessage, 3e9, 1000 + 2*800},
		{"400 million requests", HTTPRequest, 400e6, 300 + 90},
		{"30 GB of table", TableGB, 30, 5 * 0.25},
		{"10,000 users", LiteUser, 10_000, 0},
		{"150,000 users", LiteUser, 150_000, 90_000*0.0055 + 50_000*0.0046},
		{"100,000 users of Essentials", EssentialsUser, 100_000, 1350},
		{"1,000 users of Plus", PlusUser, 1000, 20},
		{"60 TB of files", FileGB, 60 << 10, (50<<10)*0.023 + (10<<10)*0.022},
		{"a million uploads", FilePut, 1e6, 5},
		{"a million downloads", FileGet, 1e6, 0.40},
		{"a million events", BusEvent, 1e6, 1},
		{"a service's tokens", MachineToken, 720, 1.62},
		{"20 TB out", OutGB, 20 << 10, (10<<10)*0.09 + (10<<10)*0.085},
	} {
		if got := test.price.Of(test.amount); !near(got, test.want) {
			t.Errorf("%s: %v dollars, want %v", test.name, got, test.want)
		}
	}
	for _, p := range []Price{
		WebSocketMessage, ConnectionMinute, HTTPRequest, EventOperation, EventMinute, Invocation, GBSecond, WriteUnit, ReadUnit,
		TableGB, BackupGB, LogGB, StoredLogGB, Metric, Alarm, Dashboard, Trace, LiteUser, EssentialsUser, PlusUser, OutGB,
		FileGB, FilePut, FileGet, BusEvent, MachineClient, MachineToken,
	} {
		if p.Each() <= 0 || !strings.HasPrefix(p.Page, "https://aws.amazon.com/") || p.Unit == "" {
			t.Errorf("a price lacks its amount, unit or page: %+v", p)
		}
	}
	if _, err := time.Parse(time.DateOnly, PricesOf); err != nil {
		t.Error(err)
	}
}

// item returns a line of a bill.
func item(t *testing.T, b Bill, service, item string) Line {
	t.Helper()
	for _, line := range b {
		if line.Service == service && line.Item == item {
			return line
		}
	}
	t.Fatalf("the bill has no %s of %s", item, service)
	return Line{}
}

func TestBill_FreeTier(t *testing.T) {
	u := Usage{Invocations: 3e6, GBSeconds: 100_000, Alarms: 25, Dashboards: 1, LogGB: 7, OutGB: 100, Users: 20_000, Tier: Lite}
	all, free := u.Bill(false), u.Bill(true)
	for _, test := range []struct {
		service, item string
		all, free     float64
	}{
		{"Lambda", "invocations", 0.60, 0.40},
		{"Lambda", "time", 1.33334, 0},
		{"CloudWatch", "alarms", 2.50, 1.50},
		{"CloudWatch", "dashboards", 3, 0},
		{"CloudWatch", "logs", 3.50, 1},
		{"Internet", "data out", 9, 0},
		{"Cognito", "active users", 55, 55},
	} {
		if got := item(t, all, test.service, test.item).Dollars; !near(got, test.all) {
			t.Errorf("%s, %s: %v dollars, want %v", test.service, test.item, got, test.all)
		}
		if got := item(t, free, test.service, test.item).Dollars; !near(got, test.free) {
			t.Errorf("%s, %s with the free tier: %v dollars, want %v", test.service, test.item, got, test.free)
		}
	}
	if want := 0.60 + 1.33334 + 2.50 + 3 + 3.50 + 9 + 55; !near(all.Total(), want) {
		t.Errorf("total %v, want %v", all.Total(), want)
	}
}

// byHand is a workload whose bill is short: one room of two who are connected.
func byHand() Workload {
	w := DefaultWorkload()
	w.Connections, w.Members, w.Online, w.Rooms, w.Session = 2, 2, 1, 1, maxSession
	w.MessagesPerSecond, w.Pace = 1/Month.Seconds()*1000, time.Hour // 1,000 messages
	w.Reads, w.Lists, w.Histories, w.PingEvery, w.SyncEvery, w.Traced = 0, 0, 0, 0, 0, false
	return w
}

func TestOf_ABillByHand(t *testing.T) {
	const messages, sessions, visits = 1000, 2 * 360, 2 * 30 // connections of two hours, of clients that stay for a day
	own := Of(Streamroom, byHand())
	const moves = messages / (1 + 3.0/60)                                   // of the room in lists: not for what comes within three minutes of another
	send, move, broadcast := SendWrites(1, true), 1+OrderWrites(2), 2.0+1+1 // members' presence, members, two messages
	for _, test := range []struct {
		what      string
		got, want float64
	}{
		{"messages", own.WebSocketMessages, messages * (2 + 1 + EchoPosts)},
		{"connection minutes", own.ConnectionMinutes, 2*43_200 + sessions*0.5},
		{"requests", own.HTTPRequests, visits},
		{"write units", own.WriteUnits, messages*(send+1) + moves*move + sessions*(2+2) + visits}, // a visit has a sync
		{"read units", own.ReadUnits, messages*(SendReads(1, true)+broadcast) + moves + visits*2},
		{"invocations", own.Invocations, messages*3 + sessions*2 + visits},
		{"GB-s", own.GBSeconds, messages*(0.015*0.25+0.050*0.5+0.035*0.5) + moves*0.015*0.5 + sessions*(0.030*0.25+0.020*0.25) + visits*0.015*0.25},
		{"table", own.TableGB, messages * 12 * (300 + itemBytes) / float64(gb)},
		{"users", own.Users, 2},
	} {
		if !near(test.got, test.want) {
			t.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
	if own.EventOperations != 0 || own.Traces != 0 {
		t.Errorf("it uses %v operations and %v traces, want none", own.EventOperations, own.Traces)
	}
}

func TestOf_TheOtherDesignsByHand(t *testing.T) {
	const messages, sessions = 1000, 2 * 360
	const moves = messages / (1 + 3.0/60)
	w := byHand()
	classic, events := Of(Classic, w), Of(Events, w)
	const counted = 1 // a request in its user's limit
	for _, test := range []struct {
		what      string
		got, want float64
	}{
		{"classic messages: in, and to both", classic.WebSocketMessages, messages * 3},
		{"classic write units: message, last message, two lists; two items for a connection", classic.WriteUnits, messages*(1+1+6) + sessions*4},
		{"classic read units: membership, members, two users; the connection", classic.ReadUnits, messages*(1+0.5+1) + sessions},
		{"classic invocations", classic.Invocations, messages + 2*sessions},
		{"classic connection minutes", classic.ConnectionMinutes, 2 * 43_200},
		{"operations: publish, handler, two deliveries; connect, subscribe, handler", events.EventOperations, messages*4 + 2*30*3},
		{"event minutes", events.EventMinutes, 2 * 43_200},
		{"events write units: as here, without connections", events.WriteUnits, messages*(SendWrites(1, true)+1) + moves*(1+6) + 2*30*counted},
		{"events read units: membership, members; syncs and subscriptions", events.ReadUnits, messages*SendReads(1, true) + moves + 2*30*(2+1)},
		{"events WebSocket messages", events.WebSocketMessages, 0},
	} {
		if !near(test.got, test.want) {
			t.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
	w.Content = 6000 // two blocks of 5 KB
	if got, want := Of(Events, w).EventOperations, 1000*8+2*30*3.0; !near(got, want) {
		t.Errorf("operations of 6,000 bytes: %v, want %v", got, want)
	}
}

// Messages of a room that come together share what follows from them.
func TestOwnMessage_Together(t *testing.T) {
	w := DefaultWorkload()
	w.Pace = Window / 10
	if got := ownMessage(w).Invocations[topology.LastMessage]; !near(got, 0.1) {
		t.Errorf("%v invocations of lastmessage a message, want 0.1", got)
	}
	w.Pace = Poll / 5
	if got := ownMessage(w).Invocations[topology.Fanout]; !near(got, 0.2) {
		t.Errorf("%v invocations of fanout a message, want 0.2", got)
	}
	w.Pace = time.Hour
	if got := ownMessage(w).Invocations; got[topology.Fanout] != 1 || got[topology.LastMessage] != 1 || got[topology.SendMessage] != 1 {
		t.Errorf("a message alone makes the invocations %v, want one of each", got)
	}
	w.Members, w.Pace = 1500, 6*time.Second // the message after three minutes moves the room, which is noted
	if got, want := projection(w).Writes, 1+(1+OrderWrites(1500))/31; !near(got, want) {
		t.Errorf("%v write units of lastmessage, want %v", got, want)
	}
}

// A message to a room of 100,000 is at the prices of the first message, and costs
// what the simulation of docs/large-rooms.md says, without slices.
func TestMessages_ToALargeRoom(t *testing.T) {
	w := DefaultWorkload()
	w.Members, w.Online, w.Traced = 100_000, 1, false
	b := Messages(Streamroom, w, 1)
	for what, want := range map[string]float64{"WebSocket messages": 100_001e-6, "write units": (SendWrites(1, true) + 1) * 0.625e-6} {
		for _, line := range b {
			if line.Item == what && !near(line.Dollars, want) {
				t.Errorf("%s cost %v, want %v", what, line.Dollars, want)
			}
		}
	}
	if total := b.Total(); total < 0.10 || total > 0.13 {
		t.Errorf("a message costs %v, docs/large-rooms.md says 0.11", total)
	}
}

func TestTraces(t *testing.T) {
	if got := traces(1000); got != 1000 {
		t.Errorf("%v traces of 1,000 invocations, want all", got)
	}
	if got, want := traces(3*Month.Seconds()), 1.1*Month.Seconds(); !near(got, want) {
		t.Errorf("%v traces at 3 invocations a second, want %v", got, want)
	}
}

func TestWorkload_Check(t *testing.T) {
	if err := DefaultWorkload().Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Workload){
		`invalid --connections -1: want 0 or more`:                                      func(w *Workload) { w.Connections = -1 },
		`invalid --members 1: want 2 to 2000; docs/large-rooms.md has larger rooms`:     func(w *Workload) { w.Members = 1 },
		`invalid --online 0: want a share above 0 and up to 1, such as 0.3`:             func(w *Workload) { w.Online = 0 },
		`invalid --online NaN: want a share above 0 and up to 1, such as 0.3`:           func(w *Workload) { w.Online = math.NaN() },
		`invalid --rooms 201: want 0 to 200`:                                            func(w *Workload) { w.Rooms = 201 },
		`invalid --content 0: want 1 to 16384 bytes`:                                    func(w *Workload) { w.Content = 0 },
		`invalid --pace 0s: want a positive duration such as 10s`:                       func(w *Workload) { w.Pace = 0 },
		`invalid --session 3h0m0s: want 1m to 2h0m0s, API Gateway's longest connection`: func(w *Workload) { w.Session = 3 * time.Hour },
		`invalid --ping-every 1ms: want 1s or more, or 0 for never`:                     func(w *Workload) { w.PingEvery = time.Millisecond },
		`invalid --sync-every -1s: want 1s or more, or 0 for never`:                     func(w *Workload) { w.SyncEvery = -time.Second },
		`invalid --users -5: want 0 or more`:                                            func(w *Workload) { w.Users = -5 },
		`invalid --tier "free": want lite, essentials or plus`:                          func(w *Workload) { w.Tier = "free" },
		`invalid --messages-per-second +Inf: want a number from 0 to a billion`:         func(w *Workload) { w.MessagesPerSecond = math.Inf(1) },
		`invalid --reads -1: want a number from 0 to a billion`:                         func(w *Workload) { w.Reads = -1 },
	} {
		w := DefaultWorkload()
		change(&w)
		if err := w.Check(); err == nil || err.Error() != want {
			t.Errorf("Check() = %v, want %s", err, want)
		}
	}
}

// Every table is complete, whatever the workload, and costs nothing where nothing
// happens.
func TestShow(t *testing.T) {
	still := Workload{Members: 2, Online: 1, Content: 1, Pace: time.Second, Session: time.Minute, Tier: Lite}
	most := DefaultWorkload()
	most.Connections, most.Members, most.MessagesPerSecond, most.Rooms, most.Content = 1e6, MaxMembers, 1e6, maxRooms, maxContent
	for _, w := range []Workload{still, DefaultWorkload(), most} {
		if err := w.Check(); err != nil {
			t.Fatal(err)
		}
		for _, name := range Shows() {
			table, err := Show(name, w)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range table.Rows {
				if len(row) != len(table.Head) {
					t.Errorf("%s: a row has %d cells, want %d", name, len(row), len(table.Head))
				}
			}
			var text, page bytes.Buffer
			table.WriteText(&text)
			table.WriteMarkdown(&page)
			encoded, err := json.Marshal(table)
			if err != nil || !json.Valid(encoded) {
				t.Errorf("%s: %v: %s", name, err, encoded)
			}
			if strings.Contains(table.Title, "  ") || strings.Contains(table.Title, "of connections") {
				t.Errorf("%s: a number is missing in %q", name, table.Title)
			}
			if all := text.String() + page.String(); strings.Contains(all, "NaN") || strings.Contains(all, "Inf") || len(table.Rows) < 3 {
				t.Errorf("%s:\n%s", name, all)
			}
		}
	}
	if _, err := Show("year", still); err == nil || !strings.Contains(err.Error(), `invalid --show "year": want one of`) {
		t.Errorf("Show(year): %v", err)
	}
	for name, want := range map[string]float64{Streamroom: 0, Classic: 0, Events: 0} {
		u := Of(name, still)
		u.Alarms, u.Dashboards, u.InsightRules, u.Metrics = 0, 0, 0, 0
		if got := u.Bill(false).Total(); got != want {
			t.Errorf("%s costs %v for nothing", name, got)
		}
	}
}

func TestTable_IsAligned(t *testing.T) {
	table := Table{Title: "A table", Head: []string{"what", "cost"}, Rows: [][]Cell{
		{text("é"), dollars(1234.5)}, {text("none"), dollars(0)}, {text("little"), dollars(0.0000123)},
	}}
	var got bytes.Buffer
	table.WriteText(&got)
	want := "A table\n\nwhat         cost\né       $1,234.50\nnone\nlittle  $0.000012\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	got.Reset()
	table.WriteMarkdown(&got)
	want = "| what | cost |\n|---|---:|\n| é | $1,234.50 |\n| none | |\n| little | $0.000012 |\n"
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// TestOf_FilesByHand adds files to the workload of one room of two.
func TestOf_FilesByHand(t *testing.T) {
	const messages, files = 1000.0, 500.0
	w := byHand()
	before := Of(Streamroom, w)
	w.FilesPerMessage, w.FileBytes, w.Downloads, w.Months = 0.5, 1<<20, 2, 10
	before.TableGB *= 10.0 / 12
	own := Of(Streamroom, w)
	for _, test := range []struct {
		what      string
		got, want float64
	}{
		{"files", own.FileGB, files * (10 + 0.05) / 1024},
		{"uploads and copies", own.FilePuts, 2 * files},
		{"downloads", own.FileGets, 2 * files},
		{"requests", own.HTTPRequests - before.HTTPRequests, files + 2*files},
		{"write units", own.WriteUnits - before.WriteUnits, files * (2 + 3 + 2*1)},
		{"read units", own.ReadUnits - before.ReadUnits, files * (1 + 1 + 2*2)},
		{"table", own.TableGB - before.TableGB, files * 10 * (fileItem + fileEntry) / gb},
	} {
		if math.Abs(test.got-test.want) > 1e-6*max(1, test.want) {
			t.Errorf("%s: %v, want %v", test.what, test.got, test.want)
		}
	}
	if out := own.OutGB - before.OutGB; out < 2*files/1024 || out > 2.01*files/1024 {
		t.Errorf("%v GB out, want some more than %v", out, 2*files/1024)
	}
	for name, bad := range map[string]func(*Workload){
		"--attachments-per-message 11":  func(w *Workload) { w.FilesPerMessage = 11 },
		"--attachments-per-message NaN": func(w *Workload) { w.FilesPerMessage = math.NaN() },
		"--attachment-bytes -1":         func(w *Workload) { w.FileBytes = -1 },
		"--attachment-downloads -1":     func(w *Workload) { w.Downloads = -1 },
	} {
		w := DefaultWorkload()
		bad(&w)
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("want an error with %q, got %v", name, err)
		}
	}
}

// What pages say of the model in sentences is what it says.
func TestPages_SayWhatTheModelDoes(t *testing.T) {
	var beside Action
	for _, u := range unshared {
		beside = beside.Plus(u.hour())
	}
	for path, sentences := range map[string][]string{
		"../../docs/operations.md": {
			fmt.Sprintf("10,000 connected users ask for %.0f a second", Of(Streamroom, DefaultWorkload()).HTTPRequests/Month.Seconds()),
			fmt.Sprintf("1,000 a second more are $%.2f more for an hour of refused requests", WorstFlood(2000)-WorstFlood(1000)),
			fmt.Sprintf("most $%.2f in an hour in which a user does all that they can", WorstHour()),
			fmt.Sprintf("together $%.2f.", beside.dollars()),
			fmt.Sprintf("of %.0f,000 in the first hour", Hourly()/1000),
		},
		"../../docs/adr/0030-charged-after-the-fact.md": {
			fmt.Sprintf("| messages to a room of 1,000 | $23.95 | $%.2f |", WorstMessages(1000)),
			fmt.Sprintf("| messages to rooms of 49, one after the other | $3.42 | $%.2f |", WorstMessages(fullRoom)),
			fmt.Sprintf("| all at once, in rooms of any size | | $%.2f |", WorstHour()),
		},
		"../../CHANGELOG.md": {fmt.Sprintf("An hour of one user has a bound: $%.2f", WorstHour())},
	} {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(string(page)), " ")
		for _, want := range sentences {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
	}
}

// A message costs 1 % less with AppSync Events, as docs/adr/0016 says, whatever the room's size.
func TestMessages_CostAPercentLessWithEvents(t *testing.T) {
	for _, members := range []int{10, 100, 1000, 10_000, 100_000} {
		w := DefaultWorkload()
		w.Members, w.Online = members, 1
		if saves := 1 - Messages(Events, w, 1).Total()/Messages(Streamroom, w, 1).Total(); math.Round(saves*100) != 1 {
			t.Errorf("to %d members it costs %.1f %% less", members, saves*100)
		}
	}
}

// The figures by which the design is judged are what they are to be at most.
func TestFigures_MeetTheirAims(t *testing.T) {
	aims := 0
	for _, f := range judged(DefaultWorkload()) {
		if f.aim == 0 {
			continue
		}
		if aims++; f.value > f.aim {
			t.Errorf("%s: %s, want at most %s", f.what, f.show(f.value).text, f.show(f.aim).text)
		}
	}
	if aims != 19 {
		t.Errorf("%d figures have aims, want 19", aims)
	}
}
