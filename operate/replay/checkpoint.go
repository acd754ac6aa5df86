package replay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/streamroom/streamroom/shared/atomicfile"
)

// checkpointVersion is the form of the file.
const checkpointVersion = 1

// Checkpoint is how far a run has come, and all that resuming it takes.
type Checkpoint struct {
	Version  int               `json:"version"`
	Where    map[string]string `json:"where"` // how the caller reaches the table, see Env
	TableID  string            `json:"tableId"`
	Stream   string            `json:"stream,omitempty"` // FromStream: its ARN
	Digest   string            `json:"digest,omitempty"` // FromFile: its SHA-256
	Config   Config            `json:"config"`
	Position Position          `json:"position"`
	Paused   string            `json:"paused,omitempty"` // the id of the mapping that was disabled
	Started  time.Time         `json:"started"`
	Saved    time.Time         `json:"saved"`

	Records     int      `json:"records"` // sent, those that failed included
	Batches     int      `json:"batches"`
	Invocations int      `json:"invocations"`
	Failed      []Failed `json:"failed"`
}

// LoadCheckpoint reads the file of a run that has not completed.
func LoadCheckpoint(path string) (*Checkpoint, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the path is the operator's choice
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no checkpoint %s: its run has completed, or kept another file; check --resume", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	var c Checkpoint
	if err := json.Unmarshal(text, &c); err != nil || c.Version == 0 || c.TableID == "" {
		return nil, fmt.Errorf("invalid checkpoint %s: start the run again without --resume", path)
	}
	if c.Version != checkpointVersion {
		return nil, fmt.Errorf("invalid checkpoint %s: want version %d, got %d, of another version of this program", path, checkpointVersion, c.Version)
	}
	c.Config.Checkpoint = path
	return &c, nil
}

// save replaces the file, all of it or nothing.
func (c *Checkpoint) save(path string) error {
	text, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = atomicfile.Write(path, text)
	}
	if err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	return nil
}
