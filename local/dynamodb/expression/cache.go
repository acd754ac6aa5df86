package expression

import (
	"container/list"
	"strings"
	"sync"
)

// cacheSize is how many parsed expressions a Cache keeps. A program has a few dozen; some
// build theirs per request.
const cacheSize = 512

// Cache keeps parsed expressions and evicts the least recently used. The zero Cache is
// ready; it is safe for concurrent use.
type Cache struct {
	mu      sync.Mutex
	entries map[cacheKey]*list.Element
	recent  list.List // of *cacheEntry, the most recently used in front
}

type cacheKey struct {
	kind Kind
	text string
}

type cacheEntry struct {
	key    cacheKey
	parsed any
}

// Condition is ParseCondition with a cache.
func (c *Cache) Condition(kind Kind, text string) (*Condition, error) {
	return cached(c, kind, text, func(text string) (*Condition, error) { return ParseCondition(kind, text) })
}

// Update is ParseUpdate with a cache.
func (c *Cache) Update(text string) (*Update, error) { return cached(c, KindUpdate, text, ParseUpdate) }

// Projection is ParseProjection with a cache.
func (c *Cache) Projection(text string) (*Projection, error) {
	return cached(c, KindProjection, text, ParseProjection)
}

func cached[T any](c *Cache, kind Kind, text string, parse func(string) (T, error)) (T, error) {
	key := cacheKey{kind: kind, text: text}
	c.mu.Lock()
	if e, ok := c.entries[key]; ok {
		c.recent.MoveToFront(e)
		parsed := e.Value.(*cacheEntry).parsed.(T)
		c.mu.Unlock()
		return parsed, nil
	}
	c.mu.Unlock()
	key.text = strings.Clone(text) // what is kept must not be a part of some request's body
	parsed, err := parse(key.text)
	if err != nil {
		return parsed, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = make(map[cacheKey]*list.Element)
	}
	if _, ok := c.entries[key]; !ok {
		c.entries[key] = c.recent.PushFront(&cacheEntry{key: key, parsed: parsed})
		if c.recent.Len() > cacheSize {
			oldest := c.recent.Remove(c.recent.Back()).(*cacheEntry)
			delete(c.entries, oldest.key)
		}
	}
	return parsed, nil
}
