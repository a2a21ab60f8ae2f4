package corpus

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// form is how documents lie in a file.
type form uint8

const (
	formWhole form = iota // one document
	formLines             // one JSON record a line
)

// file is one file to read.
type file struct {
	path    string // as the operating system wants it
	id      string // path with slashes
	source  string // relative to its root, with slashes
	kind    string
	form    form
	named   bool   // given by itself, not found in a folder
	licence string // of its tree
}

// walk collects the files of several roots.
type walk struct {
	o       Options
	files   []file
	skipped map[string]int
	seen    map[string]bool // absolute paths taken
}

// dependencyDirs are left out unless Options.Vendor is set: they hold copies
// of other people's code.
var dependencyDirs = map[string]bool{"vendor": true, "third_party": true, "node_modules": true}

func (w *walk) root(path string) error {
	if path == "" {
		return errors.New("corpus: a path is empty: name a file or folder")
	}
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("corpus: data path: %w: name an existing file or folder", err)
	}
	if info.IsDir() {
		return w.folder(path)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("corpus: %s is neither a file nor a folder", path)
	}
	return w.namedFile(path)
}

// namedFile takes a file that the caller named, whatever its extension.
func (w *walk) namedFile(path string) error {
	name := filepath.Base(path)
	kind, _ := kindOf(name)
	if kind == "" {
		switch ext := strings.ToLower(filepath.Ext(name)); ext {
		case ".json", ".parquet", ".zip", ".tar", ".tgz", ".pdf", ".xz", ".bz2":
			return fmt.Errorf("corpus: %s: %s files are not read: give text, source code, or one JSON record a line (.jsonl)", path, ext)
		}
		kind = "text"
	}
	if !w.wanted(kind) {
		w.skipped["file of a kind not asked for"]++
		return nil
	}
	ls := licencesIn(filepath.Dir(path))
	w.add(file{path: path, source: name, kind: kind, named: true, licence: ls})
	return nil
}

func (w *walk) wanted(kind string) bool {
	return len(w.o.Kinds) == 0 || slices.Contains(w.o.Kinds, kind)
}

func (w *walk) add(f file) {
	abs, err := filepath.Abs(f.path)
	if err != nil {
		abs = f.path
	}
	if w.seen[abs] {
		return
	}
	w.seen[abs] = true
	f.id = filepath.ToSlash(f.path)
	if f.kind == "jsonl" {
		f.form = formLines
	}
	w.files = append(w.files, f)
}

// folder walks one tree. A file's licence is that of the nearest folder above
// it with a licence file. A tree that is mostly program source may also take it
// from the folder just above its root, where projects with a src folder have
// it.
func (w *walk) folder(root string) error {
	licences := map[string]string{} // folder -> licence in force
	first, source := len(w.files), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("corpus: %w: make it readable or leave it out", err)
		}
		if d.IsDir() {
			if path != root {
				if reason := w.skipFolder(d.Name()); reason != "" {
					w.skipped[reason]++
					return filepath.SkipDir
				}
			}
			l := licencesIn(path)
			if l == "" && path != root {
				l = licences[filepath.Dir(path)]
			}
			licences[path] = l
			return nil
		}
		f, reason := w.fileIn(path, d)
		if reason != "" {
			w.skipped[reason]++
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		f.source = filepath.ToSlash(rel)
		f.licence = licences[filepath.Dir(path)]
		if !prose[f.kind] {
			source++
		}
		w.add(f)
		return nil
	})
	if err != nil || 2*source < len(w.files)-first {
		return err
	}
	above := licencesIn(filepath.Join(root, ".."))
	for i := first; i < len(w.files); i++ {
		if w.files[i].licence == "" {
			w.files[i].licence = above
		}
	}
	return nil
}

// skipFolder returns why a folder is left out, or "".
func (w *walk) skipFolder(name string) string {
	switch {
	case strings.HasPrefix(name, "."):
		return "hidden folder"
	case dependencyDirs[name] && !w.o.Vendor:
		return "folder " + name
	case name == "testdata" && !w.o.Testdata:
		return "folder testdata"
	case name == "__pycache__":
		return "folder __pycache__"
	}
	return ""
}

// fileIn judges a file found in a folder by its name alone; a reason says why
// it is left out.
func (w *walk) fileIn(path string, d fs.DirEntry) (f file, reason string) {
	name := d.Name()
	if strings.HasPrefix(name, ".") {
		return f, "hidden file"
	}
	if d.Type()&fs.ModeSymlink != 0 {
		info, err := os.Stat(path)
		if err != nil {
			return f, "broken link"
		}
		if info.IsDir() {
			return f, "link to a folder"
		}
		if !info.Mode().IsRegular() {
			return f, "special file"
		}
	} else if !d.Type().IsRegular() {
		return f, "special file"
	}
	if isLicenceFile(name) {
		return f, "licence file"
	}
	kind, _ := kindOf(name)
	if kind == "" {
		if ext := strings.ToLower(filepath.Ext(name)); ext != "" && len(ext) <= 12 {
			return f, "file with extension " + ext
		}
		return f, "file without a known extension"
	}
	if !w.wanted(kind) {
		return f, "file of a kind not asked for"
	}
	return file{path: path, kind: kind}, ""
}
