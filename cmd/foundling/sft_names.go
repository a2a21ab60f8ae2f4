package main

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/text"
)

// namer gives documents sources that do not depend on which folder was named on
// the command line: Go files that of their import path, others their absolute
// path.
type namer struct {
	modules map[string]string // folder -> import path, "" outside any module
}

func newNamer() *namer { return &namer{modules: map[string]string{}} }

// docs renames the documents of a stream.
func (n *namer) docs(docs text.Stream) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for d, err := range docs {
			if err == nil {
				d.Source = n.source(d)
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (n *namer) source(d text.Document) string {
	file := strings.TrimSuffix(d.ID, text.TailMark)
	if d.Kind == "jsonl" {
		if i := strings.LastIndexByte(file, '#'); i >= 0 {
			file = file[:i]
		}
	}
	if d.Kind == "go" {
		if dir := n.module(filepath.Dir(filepath.FromSlash(file))); dir != "" {
			return path.Join(dir, path.Base(file))
		}
		return d.Source
	}
	return file
}

// module is the import path of a folder. The standard library's module is
// called std, and its packages by what follows.
func (n *namer) module(dir string) string {
	if p, ok := n.modules[dir]; ok {
		return p
	}
	p := ""
	if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil {
		for line := range strings.Lines(string(data)) {
			if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "module "); ok {
				p = strings.Trim(strings.TrimSpace(rest), `"`)
				break
			}
		}
	} else if parent := filepath.Dir(dir); parent != dir {
		if p = n.module(parent); p != "" {
			p = path.Join(p, filepath.Base(dir))
		}
		p = strings.TrimPrefix(p, "std/")
	}
	n.modules[dir] = p
	return p
}
