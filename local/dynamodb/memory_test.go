package dynamodb_test

import (
	"testing"

	"github.com/streamroom/streamroom/local/dynamodb"
)

// Pages take a tenth more memory than they have bytes, at most.
func TestMemoryOfPages(t *testing.T) {
	f := start(t, dynamodb.Options{})
	_, before := dynamodb.MemoryInBlocks()
	pagesBefore, size, err := f.engine.Pages()
	if err != nil {
		t.Fatal(err)
	}
	f.fill(t, 0, 5_000)
	pages, _, err := f.engine.Pages()
	if err != nil {
		t.Fatal(err)
	}
	_, after := dynamodb.MemoryInBlocks()
	if bytes := (pages - pagesBefore) * size; bytes == 0 || after-before < bytes || after-before > bytes+bytes/10 {
		t.Errorf("%d bytes of pages take %d bytes", bytes, after-before)
	}
}

func TestMemoryKeepsItsBytes(t *testing.T) {
	if stayed, err := dynamodb.Resized(200, 4096, 4097, 4300, 8000, 9216, 9217, 20_000, 5_000, 4_000, 60); !stayed || err != nil {
		t.Errorf("bytes were lost, or %v", err)
	}
}
