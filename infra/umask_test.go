//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
)

func init() { setUmask = syscall.Umask }

// Lambda runs a program as a user who does not own it.
func TestPrepare_EveryUserMayRunFunctions(t *testing.T) {
	built := filesAgain(t)
	for _, f := range topology.Programs() {
		info, err := os.Stat(filepath.Join(built.functions, f.Name, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o755 {
			t.Errorf("%s has the mode %o, want 755", f.Name, got)
		}
	}
}
