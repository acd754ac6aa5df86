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
// on this machine that answers at once: what a review adds beyond the program's own time.
func BenchmarkSendReviewed(b *testing.B) {
	program := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"action":"allow"}`))
	}))
	defer program.Close()
	for name, target := range map[string]string{"without": "", "with": program.URL} {
		b.Run(name, func(b *testing.B) {
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
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				m.clock.advance(time.Millisecond)
				began := time.Now()
				m.invoke(handler, event, http.StatusOK)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
