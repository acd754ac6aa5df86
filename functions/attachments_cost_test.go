package functions_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/streamroom/streamroom/functions"
	stand "github.com/streamroom/streamroom/local/objects"
	"github.com/streamroom/streamroom/operate/cost"
	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/config"
	"github.com/streamroom/streamroom/shared/objects"
	"github.com/streamroom/streamroom/shared/topology"
)

// bucket counts the requests to a bucket in memory.
type bucket struct {
	*stand.Store
	requests atomic.Int64
}

// Do implements aws.HTTPClient.
func (b *bucket) Do(r *http.Request) (*http.Response, error) {
	b.requests.Add(1) // copies are made side by side
	return b.Store.Do(r)
}

// withBucket gives the functions a bucket of attachments.
func (d *deployed) withBucket() (*bucket, *s3.Client) {
	d.t.Helper()
	store, err := stand.Open(stand.Config{Bucket: "attachments", Region: "us-east-1", Now: d.clock.now})
	d.must(err)
	b := &bucket{Store: store}
	getenv := d.env.Getenv
	d.env.Getenv = func(name string) string {
		if name == config.Attachments {
			return "attachments"
		}
		return getenv(name)
	}
	d.env.Objects = d.env.AWS
	d.env.Objects.BaseEndpoint, d.env.Objects.HTTPClient = aws.String("http://objects.example"), b
	for name, construct := range functions.All() {
		d.handlers[name] = d.wired(construct)
	}
	direct := d.env.Objects
	direct.HTTPClient, direct.RequestChecksumCalculation = sized{store}, aws.RequestChecksumCalculationWhenRequired
	return b, s3.NewFromConfig(direct, func(o *s3.Options) { o.UsePathStyle = true })
}

// sized says how long a body is, as a connection would.
type sized struct{ *stand.Store }

// Do implements aws.HTTPClient.
func (s sized) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Content-Length", strconv.FormatInt(r.ContentLength, 10))
	return s.Store.Do(r)
}

// announceEvent announces a picture.
func (d *deployed) announceEvent() []byte {
	return d.request("POST", "/rooms/"+room+"/attachments", "", `{"name":"tea.png","contentType":"image/png","size":3,"width":4,"height":3}`)
}

// uploaded announces n pictures and uploads them.
func (d *deployed) uploaded(client *s3.Client, n int) (ids []string) {
	d.t.Helper()
	for range n {
		d.clock.advance(time.Second)
		answer, err := d.handlers[topology.API].Invoke(d.t.Context(), d.announceEvent())
		d.must(err)
		var got struct{ Body string }
		d.must(json.Unmarshal(answer, &got))
		var announced struct{ AttachmentID string }
		d.must(json.Unmarshal([]byte(got.Body), &announced))
		_, err = client.PutObject(d.t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("attachments"), Key: aws.String(objects.PendingKey(room, announced.AttachmentID)), Body: strings.NewReader("tea"),
		})
		d.must(err)
		ids = append(ids, announced.AttachmentID)
	}
	return ids
}

// sendFiles is a message of 300 bytes with attachments.
func (d *deployed) sendFiles(ids []string) []byte {
	d.clock.advance(time.Second)
	frame := object{"action": "sendMessage", "chatRoomId": room, "content": text(300), "clientMessageId": fmt.Sprint("cost-", d.clock.now().UnixMilli()), "echo": false}
	if len(ids) > 0 {
		frame["attachments"] = ids
	}
	return d.frame(connection(0), frame)
}

// newest is the id of the room's newest message.
func (d *deployed) newest() string {
	d.t.Helper()
	answer, err := d.handlers[topology.API].Invoke(d.t.Context(), d.request("GET", "/rooms/"+room+"/messages", "limit=1", ""))
	d.must(err)
	var got struct{ Body string }
	d.must(json.Unmarshal(answer, &got))
	var page struct{ Messages []struct{ MessageID string } }
	d.must(json.Unmarshal([]byte(got.Body), &page))
	return page.Messages[0].MessageID
}

// What attachments cost, with all that follows of them, in a room of 10 members: the
// table of docs/operations.md, "Attachments".
func TestCost_Attachments(t *testing.T) {
	d := newDeployed(t, 10)
	b, client := d.withBucket()
	for range 40 { // what fanout reads of the past
		d.do(cost.Action{}, topology.SendMessage, d.send(300))
	}
	type units struct {
		Reads, Writes float64
		Table, Bucket int // requests
	}
	measure := func(function string, event []byte) units {
		b.requests.Store(0)
		d.asked = 0
		d.clock.advance(chat.OrderInterval) // each moves the room in its members' lists
		a := d.do(cost.Action{}, function, event)
		return units{a.Reads, a.Writes, d.asked, int(b.requests.Load())}
	}
	send := func(ids []string) units { return measure(topology.SendMessage, d.sendFiles(ids)) }
	remove := func() units {
		return measure(topology.API, d.request("DELETE", "/rooms/"+room+"/messages/"+d.newest(), "", ""))
	}
	got := map[string]units{"announce": measure(topology.API, d.announceEvent())}
	for _, n := range []int{0, 1, 10} {
		got[fmt.Sprint("send with ", n)] = send(d.uploaded(client, n))
		got[fmt.Sprint("delete with ", n)] = remove()
	}
	for i := range 50 {
		d.clock.advance(time.Second)
		d.do(cost.Action{}, topology.SendMessage, d.sendFiles(d.uploaded(client, i%5/4)))
	}
	got["history of 50 with 10"] = measure(topology.API, d.request("GET", "/rooms/"+room+"/messages", "limit=50", ""))
	want := map[string]units{
		"announce":              {Reads: 1, Writes: 2, Table: 3},
		"send with 0":           {Reads: 15, Writes: 34, Table: 21},
		"delete with 0":         {Reads: 16, Writes: 3, Table: 7},
		"send with 1":           {Reads: 16, Writes: 37, Table: 22, Bucket: 1},
		"delete with 1":         {Reads: 16, Writes: 4, Table: 8, Bucket: 1},
		"send with 10":          {Reads: 25, Writes: 57, Table: 22, Bucket: 10},
		"delete with 10":        {Reads: 16, Writes: 14, Table: 8, Bucket: 1},
		"history of 50 with 10": {Reads: 10, Writes: 1, Table: 4},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-docs/operations.md +the functions):\n%s", diff)
	}
	of := func(what, name, unit string) string {
		u := got[name]
		return strings.TrimSuffix(row(what, u.Reads, u.Writes, float64(u.Table), float64(u.Bucket)), " |") + unit + " |"
	}
	onThePage(
		t, "Attachments",
		of("announce a file", "announce", ""),
		of("send without a file", "send with 0", ""),
		of("send with 1 file", "send with 1", " copy"),
		of("send with 10 files", "send with 10", " copies"),
		of("history of 50 messages, 10 with a file", "history of 50 with 10", ""),
		of("delete a message without a file", "delete with 0", ""),
		of("delete a message with 1 file", "delete with 1", ""),
		of("delete a message with 10 files", "delete with 10", ""),
	)
}

// What `streamroom cost` has of files is what the functions ask, as
// TestCost_UnitsAreWhatTheFunctionsUse has it of the rest.
func TestCost_UnitsOfFilesAreWhatTheFunctionsUse(t *testing.T) {
	const members = 10
	for _, files := range []int{1, chat.MaxAttachments} {
		t.Run(fmt.Sprintf("%d-files", files), func(t *testing.T) {
			d := newDeployed(t, members)
			b, client := d.withBucket()
			var ids []string
			for range 12 { // the room's newest, which fanout reads, have one size
				ids = d.uploaded(client, files)
				d.do(cost.Action{}, topology.SendMessage, d.sendFiles(ids))
			}
			request := cost.Action{Requests: 1}
			d.expect("announce", cost.Announce(), d.do(request, topology.API, d.announceEvent()))
			d.expect("link", cost.Download(0), d.do(cost.Action{Requests: 1, Gets: 1}, topology.API,
				d.request("GET", "/rooms/"+room+"/attachments/"+ids[0], "redirect=false", "")))
			ids = d.uploaded(client, files)
			d.clock.advance(chat.OrderInterval)
			b.requests.Store(0)
			got := d.do(cost.Action{Frames: 2}, topology.SendMessage, d.sendFiles(ids))
			got.Puts = float64(b.requests.Load())
			want := sent(300).Plus(cost.Attached(files, 300)).Plus(cost.Project(members, true)).
				Plus(cost.Broadcast(members, members-1, 1, 300+cost.FilesContent(files)))
			d.expect("send", want, got)
		})
	}
}
