package cost

import (
	"fmt"
	"math"

	"github.com/streamroom/streamroom/shared/chat"
)

// Bytes of a file: what its item takes, and, which tests measure to a tenth, what it adds to
// its message's item and frame, and what the HTTP API answers about it.
const (
	fileItem  = 180
	fileEntry = 110
	formBytes = 1_070
	linkBytes = 560
)

// MaxFiles is how many a message may have.
const MaxFiles = chat.MaxAttachments

// pendingDays is how long an upload stays beside its copy: a day, rounded up to the next
// midnight.
const pendingDays = 1.5

// Announce is a file that is announced, with the form for its upload.
func Announce() Action { return call(1, 1, formBytes) }

// Upload is a file that a client posts to the bucket.
func Upload() Action { return Action{Puts: 1} }

// Attached is what a number of files add to a message: a read and a copy of each, and a
// transaction, in which each write counts twice, and the message's, too.
func Attached(files, content int) Action {
	alone, with := kilobytes(content), kilobytes(content+FilesContent(files))
	return Action{Reads: float64(files), Writes: 2*float64(files) + 2*with - alone, Puts: float64(files)}
}

// Download is a file of some bytes that a client asks for and reads from the bucket.
func Download(bytes int) Action {
	return call(1+membershipReads, 0, linkBytes).Plus(Action{Gets: 1, Out: float64(bytes)})
}

// FilesContent is as how many bytes of content files count in a message's item and frame.
func FilesContent(files int) int { return files * fileEntry }

// files is a message's share of all that is done with files. Where not every message has
// one, those that do have one each.
func (w Workload) files() Action {
	each := w.FilesPerMessage
	if each == 0 {
		return Action{}
	}
	files := int(math.Ceil(each))
	posts := (w.others() + EchoPosts) * each * fileEntry
	return Announce().Plus(Upload()).Plus(Download(w.FileBytes).Times(w.Downloads)).Times(each).
		Plus(Attached(files, w.Content).Times(each / float64(files))).
		Plus(Action{Out: posts})
}

// addFiles adds what the bucket and the table keep of files.
func (u *Usage) addFiles(w Workload) {
	files := w.messages() * w.FilesPerMessage
	u.TableGB += files * w.Months * (fileItem + fileEntry) / gb
	u.FileGB = files * (w.Months + pendingDays/30) * float64(w.FileBytes) / gb
}

func (w Workload) checkFiles() error {
	switch {
	case !(w.FilesPerMessage >= 0 && w.FilesPerMessage <= MaxFiles): // NaN, too
		return fmt.Errorf("invalid --attachments-per-message %v: want 0 to %d", w.FilesPerMessage, MaxFiles)
	case w.FileBytes < 0:
		return fmt.Errorf("invalid --attachment-bytes %d: want 0 or more", w.FileBytes)
	case !(w.Downloads >= 0 && w.Downloads <= 1e9):
		return fmt.Errorf("invalid --attachment-downloads %v: want a number from 0 to a billion", w.Downloads)
	}
	return nil
}
