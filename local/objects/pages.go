package objects

import (
	"cmp"
	"slices"

	"github.com/johannesboyne/gofakes3"
)

// paged lists a folder in pages, in the order of the keys, which gofakes3's own backend
// does not: it gives all of it at once, folder by folder.
type paged struct{ gofakes3.Backend }

// ListBucket implements gofakes3.Backend.
func (p paged) ListBucket(name string, prefix *gofakes3.Prefix, page gofakes3.ListBucketPage) (*gofakes3.ObjectList, error) {
	all, err := p.Backend.ListBucket(name, prefix, gofakes3.ListBucketPage{})
	if err != nil || len(all.CommonPrefixes) > 0 {
		return all, err
	}
	slices.SortFunc(all.Contents, func(a, b *gofakes3.Content) int { return cmp.Compare(a.Key, b.Key) })
	if page.HasMarker {
		all.Contents = slices.DeleteFunc(all.Contents, func(c *gofakes3.Content) bool { return c.Key <= page.Marker })
	}
	if most := int(page.MaxKeys); most > 0 && len(all.Contents) > most {
		all.Contents = all.Contents[:most]
		all.IsTruncated, all.NextMarker = true, all.Contents[most-1].Key
	}
	return all, nil
}
