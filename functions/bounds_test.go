package functions_test

import (
	"testing"
	"time"

	"github.com/streamroom/streamroom/shared/chat"
	"github.com/streamroom/streamroom/shared/topology"
)

// After the function that minted a message's id has ended, its last request may still
// be on its way to the table, and clocks differ.
func TestMessagesAreStoredWithinTheBound(t *testing.T) {
	const onItsWay = 30 * time.Second
	for _, f := range topology.Functions() {
		if f.Name == topology.SendMessage && f.Timeout+onItsWay > chat.StoreWithin {
			t.Errorf("%s may take %s, so a message may be stored later than %s after its time", f.Name, f.Timeout, chat.StoreWithin)
		}
	}
}
