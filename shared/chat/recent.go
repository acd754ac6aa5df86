package chat

import "sync"

// memorySize bounds how much a warm function remembers of each kind, twice.
const memorySize = 10_000

// recent remembers what was seen last: when the young generation is full it becomes
// the old one, and the old one is forgotten.
type recent[K comparable, V any] struct {
	mu         sync.Mutex
	young, old map[K]V
}

func (m *recent[K, V]) get(key K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.young[key]; ok {
		return v, true
	}
	v, ok := m.old[key]
	return v, ok
}

func (m *recent[K, V]) put(key K, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.young[key]; !known && len(m.young) >= memorySize {
		m.young, m.old = nil, m.young
	}
	if m.young == nil {
		m.young = make(map[K]V)
	}
	m.young[key] = value
}
