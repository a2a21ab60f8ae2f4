package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/serve"
)

// Models come from where they came from, from the store and from folders that are open
// for it; nothing else can be reached by path.
func TestAllowedPaths(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"open/inner", "secret", "first"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "secret"), filepath.Join(root, "open", "way")); err != nil {
		t.Skip("no links here: ", err)
	}
	c := &serveCmd{}
	c.Store = filepath.Join(root, "store")
	c.LoadFrom = []string{filepath.Join(root, "open")}
	o := &opener{c: c, paths: map[string]string{"first": filepath.Join(root, "first")}, opened: map[string]string{}}
	for _, ok := range []struct{ name, path, want string }{
		{"first", "", filepath.Join(root, "first")},
		{"other", filepath.Join(root, "first"), filepath.Join(root, "first")},
		{"other", "inner", filepath.Join(real, "open", "inner")},
		{"other", filepath.Join(root, "open", "inner"), filepath.Join(real, "open", "inner")},
	} {
		if got, err := o.allowed(ok.name, ok.path); err != nil || got != ok.want {
			t.Errorf("%s from %q: %q, %v, want %q", ok.name, ok.path, got, err, ok.want)
		}
	}
	// What was opened is a path that others may name once it is served.
	o.note("other", filepath.Join(root, "secret"))
	if got, err := o.allowed("other", ""); err == nil {
		t.Errorf("a model that is not served yet is opened again from %q", got)
	}
	o.note("third", filepath.Join(root, "third"))
	o.Serves("third")
	if got, err := o.allowed("third", ""); err != nil || got != filepath.Join(root, "third") {
		t.Errorf("a model that is served: %q, %v", got, err)
	}
	for _, path := range []string{"", "way", "../secret", "inner/../../secret", filepath.Join(root, "secret"), "/etc/passwd", "no-such-model", "inner/none"} {
		got, err := o.allowed("other", path)
		var told *serve.Error
		if !errors.As(err, &told) || told.Param != "path" {
			t.Errorf("%q is allowed as %q: %v", path, got, err)
		}
	}
}
