package functions_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/streamroom/streamroom/functions"
	"github.com/streamroom/streamroom/shared/config"
)

// BenchmarkSendReviewed reports how long sends take with and without a review by a program
// on this machine that answers at once, and what a review adds beyond the program's own
// time. Sends of both take turns, in one process.
func BenchmarkSendReviewed(b *testing.B) {
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"action":"allow"}`))
	}))
	defer program.Close()
	targets := [2]string{"", program.URL}
	var send [2]func()
	var took [2][]time.Duration
	for i, target := range targets {
		m := newMetered(b, 0, 2)
		getenv := m.env.Getenv
		m.env.Getenv = func(variable string) string {
			switch variable {
			case config.Review:
				return target
			case config.SendRate:
				return "0"
			}
			return getenv(variable)
		}
		handler := m.wired(functions.SendMessage)
		event := m.frame(connection(0), object{"action": "sendMessage", "chatRoomId": room, "content": text(300)})
		send[i] = func() {
			m.clock.advance(time.Millisecond)
			began := time.Now()
			m.invoke(handler, event, http.StatusOK)
			took[i] = append(took[i], time.Since(began))
		}
	}
	for n := 0; b.Loop(); n++ {
		send[n%2]()
		send[1-n%2]()
	}
	at := func(i, percent int) float64 {
		slices.Sort(took[i])
		return float64(took[i][len(took[i])*percent/100].Microseconds())
	}
	b.ReportMetric(at(0, 50), "p50-without-µs")
	b.ReportMetric(at(0, 99), "p99-without-µs")
	b.ReportMetric(at(1, 50), "p50-with-µs")
	b.ReportMetric(at(1, 99), "p99-with-µs")
	b.ReportMetric(at(1, 50)-at(0, 50), "p50-added-µs")
	b.ReportMetric(at(1, 99)-at(0, 99), "p99-added-µs")
	b.ReportMetric(at(1, 50)/at(0, 50), "p50-ratio")
}
