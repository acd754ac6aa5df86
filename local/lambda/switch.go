package lambda

import (
	"bytes"
	"crypto/sha256"

	"github.com/google/uuid"
)

// States of a Mapping.
const (
	Enabled   = "Enabled"
	Enabling  = "Enabling"
	Disabling = "Disabling" // the last invocations are running
	Disabled  = "Disabled"
)

// SetEnabled switches the mapping on, as it is at first, or off: then it reads
// and invokes nothing, and later goes on where it stopped.
func (m *Mapping) SetEnabled(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.disabled = !on
	if m.disabled && m.stop != nil {
		m.stop()
	}
	signal(m.switched)
}

// State is one of the states above.
func (m *Mapping) State() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.reading && m.disabled:
		return Disabling
	case m.reading:
		return Enabled
	case m.disabled:
		return Disabled
	default:
		return Enabling
	}
}

// ID is the mapping's UUID, which follows from its function and its stream.
func (m *Mapping) ID() string {
	return mappingID(m.name)
}

func mappingName(function, streamARN string) string { return function + " " + streamARN }

func mappingID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return uuid.Must(uuid.NewRandomFromReader(bytes.NewReader(sum[:]))).String()
}
