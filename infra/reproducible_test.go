package main

import (
	"debug/buildinfo"
	"os"
	"path/filepath"
	"testing"

	"github.com/streamroom/streamroom/shared/topology"
)

func TestTheSameSourcesGiveTheSameTemplates(t *testing.T) {
	first, again := synth(t, "dev"), synthTopology(t, map[string]any{"env": "dev"}, topology.Routes())
	compared := 0
	for _, pattern := range []string{"*.template.json", "*.assets.json", "manifest.json"} {
		paths, err := filepath.Glob(filepath.Join(first.dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			one, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			other, err := os.ReadFile(filepath.Join(again.dir, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			if string(one) != string(other) {
				t.Errorf("%s differs", filepath.Base(path))
			}
			compared++
		}
	}
	if compared < 15 {
		t.Errorf("only %d files were compared", compared)
	}
}

func TestFunctionsAreBuiltReproducibly(t *testing.T) {
	one, other := files(t), filesAgain(t)
	for _, f := range topology.Programs() {
		path := filepath.Join(one.functions, f.Name, "bootstrap")
		a, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(other.functions, f.Name, "bootstrap"))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s: two builds differ", f.Name)
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, s := range info.Settings {
			got[s.Key] = s.Value
		}
		for key, want := range map[string]string{"-trimpath": "true", "-tags": "lambda.norpc", "GOARCH": "arm64", "GOOS": "linux", "CGO_ENABLED": "0"} {
			if got[key] != want {
				t.Errorf("%s was built with %s=%q, want %q", f.Name, key, got[key], want)
			}
		}
	}
}
