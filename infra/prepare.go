package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/streamroom/streamroom/shared/topology"
	"github.com/streamroom/streamroom/web"
)

// assets are the folders that are deployed: one for each function, with its
// program bootstrap in it, and the browser client.
type assets struct {
	functions string // <functions>/<name>/bootstrap
	web       string
}

// prepare builds the functions of the module at root, and writes the browser
// client as it is served, into dir. The same sources give the same bytes on every machine.
func prepare(ctx context.Context, root, dir string) (assets, error) {
	a := assets{functions: filepath.Join(dir, "functions"), web: filepath.Join(dir, "web")}
	if err := writePage(a.web); err != nil {
		return a, fmt.Errorf("write the browser client: %w", err)
	}
	programs := filepath.Join(dir, "programs") + string(filepath.Separator)
	args := []string{
		"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-tags", "lambda.norpc", "-o", programs,
	}
	for _, f := range topology.Programs() {
		args = append(args, "./functions/"+f.Name)
	}
	// One call for all of them: they share most of their packages.
	build := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are constants
	build.Dir = root
	build.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "GOARM64=v8.2", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return a, fmt.Errorf("build the functions: %w\n%s", err, out)
	}
	for _, f := range topology.Programs() {
		folder := filepath.Join(a.functions, f.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return a, fmt.Errorf("copy the function %s: %w", f.Name, err)
		}
		program := filepath.Join(folder, "bootstrap")
		if err := os.Rename(programs+f.Name, program); err != nil {
			return a, fmt.Errorf("copy the function %s: %w", f.Name, err)
		}
		// The mode goes into the archive. Lambda runs the program as another user,
		// who could not execute it if the operator's umask is strict.
		if err := os.Chmod(program, 0o755); err != nil { //nolint:gosec // any user may execute it
			return a, fmt.Errorf("make the function %s executable: %w", f.Name, err)
		}
	}
	return a, nil
}

// writePage writes the files that browsers ask for into dir.
func writePage(dir string) error {
	files, err := web.Files()
	if err != nil {
		return err
	}
	for name, body := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(file, body, 0o600); err != nil {
			return err
		}
	}
	return nil
}
