package web

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bundle returns the entries, each with all that it imports from files in it, without what
// browsers don't read, and beside each its source map, as NAME.map. Imports are relative.
// It fails where one of them is missing, or is no JavaScript or CSS.
func bundle(files fs.FS, entries ...string) (map[string][]byte, error) {
	root, err := filepath.Abs("/") // has a drive on Windows, without which esbuild takes no path as absolute
	if err != nil {
		return nil, fmt.Errorf("find the root: %w", err)
	}
	built := api.Build(api.BuildOptions{
		EntryPoints:       entries,
		Plugins:           []api.Plugin{from(files)},
		Outdir:            root,
		Outbase:           root,
		AbsWorkingDir:     root,
		Bundle:            true,
		Format:            api.FormatESModule,
		Target:            api.ESNext, // what the sources are written for
		MinifyWhitespace:  true,
		MinifySyntax:      true,
		MinifyIdentifiers: true,
		Sourcemap:         api.SourceMapLinked,
	})
	if len(built.Errors) > 0 {
		return nil, errors.New(api.FormatMessages(built.Errors, api.FormatMessagesOptions{})[0])
	}
	bundled := make(map[string][]byte)
	for _, f := range built.OutputFiles {
		bundled[nameOf(root, f.Path)] = f.Contents
	}
	return bundled, nil
}

// nameOf returns the name, with slashes, of a file by its path in root, which ends in a
// separator. Paths may be of Windows on any system.
func nameOf(root, file string) string {
	return strings.TrimPrefix(strings.ReplaceAll(file, `\`, "/"), strings.ReplaceAll(root, `\`, "/"))
}

// from has esbuild read from files in place of the disk.
func from(files fs.FS) api.Plugin {
	const space = "web"
	return api.Plugin{Name: space, Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: "."}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: path.Join(path.Dir(args.Importer), args.Path), Namespace: space}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".", Namespace: space}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			body, err := fs.ReadFile(files, args.Path)
			if err != nil {
				return api.OnLoadResult{}, fmt.Errorf("read a source: %w", err)
			}
			text, loader := string(body), api.LoaderJS
			if path.Ext(args.Path) == ".css" {
				loader = api.LoaderCSS
			}
			return api.OnLoadResult{Contents: &text, Loader: loader}, nil
		})
	}}
}
