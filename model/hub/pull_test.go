package hub

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// modelFiles are a model directory with things that a pull leaves out.
func modelFiles() map[string][]byte {
	return map[string][]byte{
		"config.json": []byte(`{"model_type":"llama"}`), "tokenizer.json": noise(5000), "tokenizer_config.json": []byte("{}"),
		"generation_config.json": {}, "model-00001-of-00002.safetensors": noise(70000), "model-00002-of-00002.safetensors": noise(30000),
		"model.safetensors.index.json": []byte("{}"), "README.md": []byte("read"), "pytorch_model.bin": noise(100),
		"onnx/model.safetensors": noise(10), "consolidated.safetensors": noise(10),
	}
}

var wantModel = []string{"config.json", "generation_config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
	"model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json"}

const weights1 = "model-00001-of-00002.safetensors"

func model(t *testing.T) (*fakeHub, Store) {
	return newHub(t, modelFiles(), weights1, "model-00002-of-00002.safetensors"), Store{t.TempDir()}
}

// whole checks that a model has exactly these files, as the hub has them.
func whole(t *testing.T, h *fakeHub, dir string, want []string) {
	t.Helper()
	var got []string
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		if d.IsDir() || d.Name() == manifestFile {
			return nil
		}
		name, _ := filepath.Rel(dir, path)
		name = filepath.ToSlash(name)
		got = append(got, name)
		if data, err := os.ReadFile(path); err != nil || !bytes.Equal(data, h.files[name]) {
			t.Errorf("%s differs from the hub's, %v", name, err)
		}
		return nil
	})
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got files  %q\nwant files %q", got, want)
	}
}

func TestPullDirectory(t *testing.T) {
	h, s := model(t)
	h.page, h.token = 3, "secret"
	c := h.client()
	var last Progress
	c.Progress = func(p Progress) { last = p }
	name, err := c.Pull(t.Context(), s, Ref{ID: "o/m"}, nil)
	if err != nil || name != "o/m" {
		t.Fatalf("got %q, %v", name, err)
	}
	whole(t, h, filepath.Join(s.Dir, "o", "m"), wantModel)
	if last.Done != last.Total || last.Total < 105000 {
		t.Errorf("progress ends at %+v", last)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir, partialFolder, "o")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	asked := len(h.asked())
	if _, err := c.Pull(t.Context(), s, Ref{ID: "o/m", Revision: testCommit}, nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range h.asked()[asked:] {
		if strings.Contains(r, "resolve") {
			t.Errorf("the same commit was downloaded again: %s", r)
		}
	}
}

// TestFaultsAreOvercome breaks answers in every way that a second try mends.
func TestFaultsAreOvercome(t *testing.T) {
	for _, c := range []struct {
		name    string
		path    string
		faults  []fault
		noRange bool
		want    string // a line of the hub's log
	}{
		{"dropped connections go on where they stopped", weights1, []fault{{cut: 10000}, {cut: 20000}}, false, "/" + weights1 + " bytes=30000-"},
		{"dropped connections without ranges start over", weights1, []fault{{cut: 10000}, {cut: 20000}}, true, "/" + weights1 + " bytes=20000-"},
		{"silence", weights1, []fault{{cut: 10000, stall: true}}, false, "/" + weights1 + " bytes=10000-"},
		{"a wrong byte", weights1, []fault{{flip: true}}, false, ""},
		{"a wrong byte of a small file", "tokenizer.json", []fault{{flip: true}}, false, ""},
		{"a wrong first half", weights1, []fault{{flip: true, cut: 50000}}, false, "/" + weights1 + " bytes=50000-"},
		{"too many requests", "config.json", []fault{{status: 429, header: map[string]string{"Retry-After": "2"}}}, false, ""},
		{"server errors", weights1, []fault{{status: 500}, {status: 503}, {status: 502}}, false, ""},
		{"server errors of the list", "api", []fault{{status: 500}, {status: 503}}, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := model(t)
			h.faults[c.path], h.noRange = c.faults, c.noRange
			client := h.client()
			if c.faults[0].stall {
				client.Idle = 2 * time.Second
			}
			if _, err := client.Pull(t.Context(), s, Ref{ID: "o/m"}, nil); err != nil {
				t.Fatal(err)
			}
			whole(t, h, filepath.Join(s.Dir, "o", "m"), wantModel)
			if len(h.faults[c.path]) > 0 {
				t.Errorf("faults that did not come: %v", h.faults[c.path])
			}
			if c.want != "" && !slices.Contains(h.asked(), c.want) {
				t.Errorf("the hub was asked for %q, not for %q", h.asked(), c.want)
			}
		})
	}
}

// TestFaultsAreTold breaks answers for good.
func TestFaultsAreTold(t *testing.T) {
	many := func(f fault) []fault { return slices.Repeat([]fault{f}, 20) }
	for _, c := range []struct {
		name   string
		ref    Ref
		path   string
		faults []fault
		token  string // that the client has; the hub wants "secret" where this is not empty
		want   string
	}{
		{"no such model", Ref{ID: "o/other"}, "", nil, "", "model o/other at revision main does not exist"},
		{"no such revision", Ref{ID: "o/m", Revision: "v2"}, "", nil, "", "revision v2 does not exist"},
		{"not public", Ref{ID: "o/m"}, "", nil, "wrong", "is not public"},
		{"gated", Ref{ID: "o/m"}, "config.json", many(fault{status: 403}), "", "accept its terms"},
		{"gone", Ref{ID: "o/m"}, weights1, many(fault{status: 404}), "", weights1 + " does not exist"},
		{"always busy", Ref{ID: "o/m"}, "config.json", many(fault{status: 429}), "", "given up after 6 tries"},
		{"always broken", Ref{ID: "o/m"}, "config.json", many(fault{status: 500}), "", "internal server error"},
		{"always wrong", Ref{ID: "o/m"}, weights1, many(fault{flip: true}), "", "the download is damaged"},
		{"no such file", Ref{ID: "o/m", File: "x.gguf"}, "", nil, "", `no file "x.gguf"; it has README.md`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, s := model(t)
			client := h.client()
			if c.path != "" {
				h.faults[c.path] = c.faults
			}
			if c.token != "" {
				h.token, client.Token = "secret", c.token
			}
			_, err := client.Pull(t.Context(), s, c.ref, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "signature") {
				t.Errorf("the error shows a signed address: %v", err)
			}
			if models, err := s.List(); err != nil || len(models) > 0 {
				t.Errorf("a failed pull left %v, %v in the store", models, err)
			}
		})
	}
}

// TestInterruptedPullGoesOn cancels a pull in the middle: nothing is in the store,
// and the next pull asks for the rest only.
func TestInterruptedPullGoesOn(t *testing.T) {
	h, s := model(t)
	h.slow = 2 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	c := h.client()
	c.Progress = func(p Progress) {
		if p.Done > 40000 {
			cancel()
		}
	}
	if _, err := c.Pull(ctx, s, Ref{ID: "o/m"}, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want that of the context", err)
	}
	if models, err := s.List(); err != nil || len(models) > 0 {
		t.Errorf("an interrupted pull left %v, %v in the store", models, err)
	}
	h.forget()
	var first int64 = -1
	c.Progress = func(p Progress) {
		if first < 0 {
			first = p.Done
		}
	}
	if _, err := c.Pull(t.Context(), s, Ref{ID: "o/m"}, nil); err != nil {
		t.Fatal(err)
	}
	whole(t, h, filepath.Join(s.Dir, "o", "m"), wantModel)
	resumed := slices.ContainsFunc(h.asked(), func(l string) bool { return strings.Contains(l, ".safetensors bytes=") })
	if !resumed {
		t.Errorf("nothing was resumed: %q", h.asked())
	}
	if first < 1000 {
		t.Errorf("progress begins at %d bytes, though more are there", first)
	}
}

// TestDamagedPartIsFound changes what an interrupted pull left behind.
func TestDamagedPartIsFound(t *testing.T) {
	h, s := model(t)
	part := filepath.Join(s.Dir, partialFolder, "o", "m", testCommit, weights1+partSuffix)
	for _, data := range [][]byte{noise(999), noise(200000)} {
		if err := os.MkdirAll(filepath.Dir(part), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(part, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := h.client().Pull(t.Context(), s, Ref{ID: "o/m"}, nil); err != nil {
			t.Fatal(err)
		}
		whole(t, h, filepath.Join(s.Dir, "o", "m"), wantModel)
		os.RemoveAll(filepath.Join(s.Dir, "o"))
	}
}

func TestFullDiskIsToldBefore(t *testing.T) {
	h, s := model(t)
	c := h.client()
	c.Free = func(string) (int64, bool) { return spare + 50000, true }
	_, err := c.Pull(t.Context(), s, Ref{ID: "o/m"}, nil)
	if err == nil || !strings.Contains(err.Error(), "needs 0.1 MB more") {
		t.Errorf("error %v, want one that names the space", err)
	}
	if slices.ContainsFunc(h.asked(), func(l string) bool { return strings.Contains(l, "resolve") }) {
		t.Error("it downloaded something")
	}
	c.Free = func(string) (int64, bool) { return 0, false }
	if _, err := c.Pull(t.Context(), s, Ref{ID: "o/m"}, nil); err != nil {
		t.Errorf("a disk that does not say: %v", err)
	}
}

// TestHostileHub lists files that would leave the store, and sends more than it
// says.
func TestHostileHub(t *testing.T) {
	for _, path := range []string{"../config.json", "/etc/passwd", "a/../../b.gguf", `a\b.gguf`, "", "c:d.gguf", ".partial/x", ".pull.json", "a//b"} {
		h := newHub(t, map[string][]byte{path: noise(10), "x.gguf": noise(10)})
		if _, err := h.client().Pull(t.Context(), Store{t.TempDir()}, Ref{ID: "o/m"}, nil); err == nil || !strings.Contains(err.Error(), "cannot be one") {
			t.Errorf("%q: error %v, want one about the path", path, err)
		}
	}
	h := newHub(t, map[string][]byte{"x.gguf": noise(1000)})
	commit, files, err := h.client().Files(t.Context(), Ref{ID: "o/m"})
	if err != nil {
		t.Fatal(err)
	}
	files[0].Size = 500
	p := &pull{Client: h.client(), ref: Ref{ID: "o/m"}, commit: commit, dir: t.TempDir()}
	if err := p.file(t.Context(), files[0]); err == nil || !strings.Contains(err.Error(), "longer than the 500 bytes") {
		t.Errorf("error %v, want one about the size", err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		header string
		want   time.Duration
	}{
		{"", 0}, {"7", 7 * time.Second}, {"-3", 0}, {"999999999999", 0}, {"100000", maxWait}, {"x", 0},
		{"Fri, 02 Jan 2026 03:04:25 GMT", 20 * time.Second}, {"Fri, 02 Jan 2026 03:04:00 GMT", 0},
	} {
		if c.header == "999999999999" {
			c.want = maxWait
		}
		if got := retryAfter(c.header, now); got != c.want {
			t.Errorf("%q: got %v, want %v", c.header, got, c.want)
		}
	}
	h, s := model(t)
	h.faults["config.json"] = []fault{{status: 429, header: map[string]string{"Retry-After": "2"}}}
	c := h.client()
	var waits []time.Duration
	c.sleep = func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil }
	c.Parallel = 1
	if _, err := c.Pull(t.Context(), s, Ref{ID: "o/m"}, nil); err != nil || !slices.Equal(waits, []time.Duration{2 * time.Second}) {
		t.Errorf("waited %v, %v; the hub asked for 2 s", waits, err)
	}
}
