package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/streamroom/streamroom/operate/erase"
	"github.com/streamroom/streamroom/shared/attribute"
	"github.com/streamroom/streamroom/shared/table"
	"github.com/streamroom/streamroom/test/rig"
)

// BenchmarkErase erases a user with 100 messages in each of 100 and of 1,000 rooms, or of 20
// with -short, in each of which another one has as many, and reports the time, the units and
// the memory of the program, which is a process of its own.
func BenchmarkErase(b *testing.B) {
	const user, perRoom = "zephyrine", 100
	sizes := []int{100, 1_000}
	if testing.Short() {
		sizes = []int{20}
	}
	binary := filepath.Join(b.TempDir(), "streamroom") // without the tests' own code and memory
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	for _, rooms := range sizes {
		b.Run(fmt.Sprint(rooms*perRoom, "-messages"), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := rig.StartOperated(b, rig.OperatedOptions{})
				for i := range rooms {
					room := fmt.Sprintf("room-%04d", i)
					items := append(
						rig.RoomItems(room, 2, perRoom),
						rig.Keyed(table.Member(room, user), rig.Item{table.Role: attribute.Text("member"), table.JoinedAt: attribute.Number(1)}),
						rig.Keyed(table.Participation(user, room), rig.Item{
							table.JoinedAt: attribute.Number(1), table.GSI1PK: attribute.Text(table.UserRooms(user)), table.GSI1SK: attribute.Text(table.Millis(1)),
						}))
					for j := range perRoom {
						items = append(items, rig.MessageItem(room, rig.Epoch.Add(time.Duration(j)*time.Second), user, "what they wrote"))
					}
					w.Write(items...)
				}
				var out bytes.Buffer
				cmd := exec.CommandContext(b.Context(), binary, "erase", "--endpoint", w.TableURL(), "--user", user,
					"--apply", "--json", "--rate", "0", "--read-rate", "0", "--settle", "0s")
				cmd.Stdout, cmd.Stderr = &out, &out
				b.StartTimer()
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				ended := make(chan error, 1)
				go func() { ended <- cmd.Wait() }()
				peak := highWater(cmd.Process.Pid, ended)
				b.StopTimer()
				report := reported(b, out.Bytes())
				if report.Kinds["message"].Erased != rooms*perRoom || report.Left > 0 {
					b.Fatalf("%+v", report)
				}
				b.ReportMetric(report.ReadUnits, "read-units")
				b.ReportMetric(report.WriteUnits, "write-units")
				b.ReportMetric(float64(peak)/1024, "peak-MB")
				b.StartTimer()
			}
		})
	}
}

// reported reads the report, which is the last line of what erase says.
func reported(b *testing.B, out []byte) erase.Report {
	b.Helper()
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	var last struct{ Report erase.Report }
	if err := json.Unmarshal(lines[len(lines)-1], &last); err != nil {
		b.Fatalf("%v\n%s", err, out[max(0, len(out)-2000):])
	}
	return last.Report
}
