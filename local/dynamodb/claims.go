package dynamodb

import (
	"strconv"
	"sync"
)

// claims tells which items are being written right now, so that a transaction meets conflicts as it does in DynamoDB: it holds
// its items from its arrival until it is durable, and who touches one of them meanwhile is turned away.
type claims struct {
	mu   sync.Mutex
	held map[string]claim
}

type claim struct {
	singles     int  // writes outside transactions
	transaction bool // a transaction's write
}

// claim names the item that a write is about.
func (w *write) claim() string { return itemClaim(w.table, w.storage) }

func itemClaim(t *table, storageKey []byte) string {
	return strconv.FormatInt(t.ID, 36) + "/" + string(storageKey)
}

// single claims the item of a write outside transactions; ok is false if a transaction holds it.
func (c *claims) single(w *write) (release func(), ok bool) {
	name := w.claim()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.held[name]
	if now.transaction {
		return nil, false
	}
	if c.held == nil {
		c.held = make(map[string]claim)
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

// transaction claims the items of a transaction's writes. If others hold some it claims none, and conflicts says which.
func (c *claims) transaction(names []string) (release func(), conflicts []bool) {
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
		c.held = make(map[string]claim)
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

// busy says which of the items are being written.
func (c *claims) busy(names []string) (conflicts []bool) {
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
