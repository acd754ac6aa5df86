package dynamodb

import (
	"strconv"
	"sync"
)

// locks holds the items being written, so that conflicts occur as in DynamoDB: a
// transaction holds its items from its arrival until it is durable, and conflicting
// writes are rejected.
type locks struct {
	mu   sync.Mutex
	held map[string]lock
}

type lock struct {
	singles     int  // writes outside transactions
	transaction bool // a transaction's write
}

// lockName identifies the item of a write.
func (w *write) lockName() string { return lockName(w.table, w.storage) }

func lockName(t *table, storageKey []byte) string {
	return strconv.FormatInt(t.ID, 36) + "/" + string(storageKey)
}

// single locks the item of a write outside transactions; ok is false if a transaction
// holds it.
func (c *locks) single(w *write) (release func(), ok bool) {
	name := w.lockName()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.held[name]
	if now.transaction {
		return nil, false
	}
	if c.held == nil {
		c.held = make(map[string]lock)
	}
	now.singles++
	c.held[name] = now
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if now := c.held[name]; now.singles > 1 || now.transaction {
			now.singles--
			c.held[name] = now
		} else {
			delete(c.held, name)
		}
	}, true
}

// transaction locks the items of a transaction. If others hold some of them it locks
// none, and conflicts marks those.
func (c *locks) transaction(names []string) (release func(), conflicts []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, name := range names {
		if c.held[name].transaction {
			if conflicts == nil {
				conflicts = make([]bool, len(names))
			}
			conflicts[i] = true
		}
	}
	if conflicts != nil {
		return nil, conflicts
	}
	if c.held == nil {
		c.held = make(map[string]lock)
	}
	for _, name := range names {
		now := c.held[name]
		now.transaction = true
		c.held[name] = now
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, name := range names {
			if now := c.held[name]; now.singles > 0 {
				now.transaction = false
				c.held[name] = now
			} else {
				delete(c.held, name)
			}
		}
	}, nil
}

// busy marks the items that are being written.
func (c *locks) busy(names []string) (conflicts []bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, name := range names {
		if _, ok := c.held[name]; ok {
			if conflicts == nil {
				conflicts = make([]bool, len(names))
			}
			conflicts[i] = true
		}
	}
	return conflicts
}
