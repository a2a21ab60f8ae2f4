package hub

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestChoose(t *testing.T) {
	list := func(names ...string) (out []File) {
		for _, n := range names {
			out = append(out, File{Path: n})
		}
		return out
	}
	two := list("a-Q4_K_M.gguf", "a-Q8_0.gguf", "README.md")
	for _, c := range []struct {
		name    string
		file    string
		files   []File
		include []string
		want    []string // nil: an error with the text in file's place
		err     string
	}{
		{"one gguf", "", list("x.gguf", "README.md"), nil, []string{"x.gguf"}, ""},
		{"several ggufs", "", two, nil, nil, "name one, as in o/m:a-Q4_K_M.gguf"},
		{"by name", "a-Q8_0.gguf", two, nil, []string{"a-Q8_0.gguf"}, ""},
		{"by type", "q4_k_m", two, nil, []string{"a-Q4_K_M.gguf"}, ""},
		{"ambiguous", "a-", two, nil, nil, "several files"},
		{"parts", "Q8", list("Q8/a-00001-of-00002.gguf", "Q8/a-00002-of-00002.gguf", "Q4/a-00001-of-00002.gguf"), nil,
			[]string{"Q8/a-00001-of-00002.gguf", "Q8/a-00002-of-00002.gguf"}, ""},
		{"other file", "README.md", two, nil, []string{"README.md"}, ""},
		{"neither", "", list("pytorch_model.bin"), nil, nil, "neither safetensors nor GGUF files; it has pytorch_model.bin"},
		{"no config", "", list("model.safetensors"), nil, nil, "no config.json"},
		{"consolidated alone", "", list("consolidated.safetensors", "config.json"), nil, []string{"consolidated.safetensors", "config.json"}, ""},
		{"include", "", list("a.bin", "sub/b.bin", "c.txt"), []string{"*.bin"}, []string{"a.bin", "sub/b.bin"}, ""},
		{"include with a folder", "", list("a.bin", "sub/b.bin"), []string{"sub/*"}, []string{"sub/b.bin"}, ""},
		{"include nothing", "", list("a.bin"), []string{"*.gguf"}, nil, "no file of o/m matches *.gguf"},
		{"bad pattern", "", list("a.bin"), []string{"["}, nil, "malformed"},
	} {
		got, err := Choose(Ref{ID: "o/m", File: c.file}, c.files, c.include)
		var names []string
		for _, f := range got {
			names = append(names, f.Path)
		}
		if c.want == nil && (err == nil || !strings.Contains(err.Error(), c.err)) || c.want != nil && (err != nil || !slices.Equal(names, c.want)) {
			t.Errorf("%s: got %q, %v; want %q, %q", c.name, names, err, c.want, c.err)
		}
	}
}

func TestParseRef(t *testing.T) {
	for s, want := range map[string]Ref{
		"a/b": {ID: "a/b"}, "a/b.c-d:x/y.gguf": {ID: "a/b.c-d", File: "x/y.gguf"},
		"a": {}, "a/b/c": {}, "../b": {}, "a/..": {}, "a/b:": {}, "": {}, "a/.b": {}, "a b/c": {},
	} {
		got, err := ParseRef(s)
		if got != want || (err != nil) != (want == Ref{}) {
			t.Errorf("%q: got %+v, %v; want %+v", s, got, err, want)
		}
	}
}

// TestStore pulls a directory and GGUF files of one model, and takes them away
// one by one.
func TestStore(t *testing.T) {
	files := modelFiles()
	files["m-Q4_0.gguf"], files["m-Q8_0.gguf"] = noise(500), noise(900)
	h := newHub(t, files, "m-Q4_0.gguf")
	s := Store{filepath.Join(t.TempDir(), "deep", "store")}
	if models, err := s.List(); err != nil || len(models) != 0 {
		t.Fatalf("an absent store has %v, %v", models, err)
	}
	for _, p := range []struct{ ref, want string }{{"o/m:q4_0", "o/m:m-Q4_0.gguf"}, {"o/m", ""}, {"o/m:Q8", "o/m:m-Q8_0.gguf"}} {
		ref, err := ParseRef(p.ref)
		if err != nil {
			t.Fatal(err)
		}
		var include []string
		if p.want == "" {
			p.want = "o/m"
		}
		if name, err := h.client().Pull(t.Context(), s, ref, include); err != nil || name != p.want {
			t.Fatalf("%s: got %q, %v", p.ref, name, err)
		}
	}
	all := append(slices.Clone(wantModel), "m-Q4_0.gguf", "m-Q8_0.gguf")
	slices.Sort(all)
	whole(t, h, filepath.Join(s.Dir, "o", "m"), all)
	models, err := s.List()
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
		if m.Commit != testCommit || m.Pulled.IsZero() {
			t.Errorf("%+v lacks where it comes from", m)
		}
	}
	if err != nil || !slices.Equal(names, []string{"o/m", "o/m:m-Q4_0.gguf", "o/m:m-Q8_0.gguf"}) || models[1].Bytes != 500 {
		t.Fatalf("got %v, %v", models, err)
	}
	for name, want := range map[string]string{
		"o/m": "o/m", "m": "o/m", "m:q4": "o/m:m-Q4_0.gguf", "o/m:m-Q8_0.gguf": "o/m:m-Q8_0.gguf", "m:": "o/m",
		"m:gguf": "several", "x": "no such", "m:q5": "no such",
	} {
		m, err := s.Find(name)
		if m.Name != want && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("Find(%q): got %q, %v; want %s", name, m.Name, err, want)
		}
	}
	if _, err := s.Find("x"); !errors.Is(err, ErrNoModel) {
		t.Errorf("error %v, want ErrNoModel", err)
	}
	for i, name := range []string{"o/m", "o/m:m-Q4_0.gguf"} {
		m, err := s.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Remove(m); err != nil {
			t.Fatal(err)
		}
		if left, err := s.List(); err != nil || len(left) != 2-i {
			t.Errorf("after %s there are %v, %v", name, left, err)
		}
	}
	if m, err := s.Find("m"); err != nil || m.Name != "o/m:m-Q8_0.gguf" { // the only one
		t.Errorf("got %v, %v", m, err)
	} else if err := s.Remove(m); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
