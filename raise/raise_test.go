package raise_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/raise"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/train"
)

func backend(t *testing.T, threads int) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// all runs every stage.
func all(ctx context.Context, r *raise.Run) error {
	for _, stage := range []func(context.Context) error{r.Read, r.LearnTokenizer, r.Tokenize, r.Pretrain, r.FineTune, r.Compare, r.TrainJudge, r.Prefer, r.Evaluate, r.Report} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// tiny is a shape that trains in a moment.
var tiny = []plan.Shape{{Family: "llama", Layers: 2, Width: 32, Heads: 2, HeadDim: 16, FF: 64, Tied: true}}

func goRoot() string {
	out, _ := exec.Command("go", "env", "GOROOT").Output()
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// sentences makes text from a few words, the same for the same seed.
func sentences(seed uint64, n int, words []string, stop string) string {
	var s strings.Builder
	for i := range n {
		for k := range 6 + rng.Intn(seed, 1, uint64(i), 6) {
			s.WriteString(words[rng.Intn(seed, 2, uint64(i*16+k), len(words))])
			s.WriteString(" ")
		}
		s.WriteString(stop + "\n")
	}
	return s.String()
}

var english = strings.Fields("the a river mountain old small house walks sees under bright morning garden quiet letter writes child answer bread stone")
var hindi = strings.Fields("नदी पहाड़ घर बच्चा सुबह रोटी पत्थर उत्तर लिखता देखता छोटा पुराना और में से")

// prose is markdown with headings, so that demonstrations can be found.
func prose(t *testing.T, words []string, stop string) string {
	dir := t.TempDir()
	for i := range 60 {
		var s strings.Builder
		for k := range 4 {
			fmt.Fprintf(&s, "## %s %s\n\n%s\n", words[(i+k)%len(words)], words[(i*7+k)%len(words)], sentences(uint64(i*10+k), 6, words, stop))
		}
		write(t, filepath.Join(dir, fmt.Sprintf("d%02d", i%20), fmt.Sprintf("%d.md", i)), s.String())
	}
	return dir
}

func records(t *testing.T) string {
	dir := t.TempDir()
	var s bytes.Buffer
	enc := json.NewEncoder(&s)
	for i := range 400 {
		enc.Encode(map[string]string{"prompt": sentences(uint64(i), 1, english, "?"), "response": sentences(uint64(i+1000), 2, english, ".")})
	}
	write(t, filepath.Join(dir, "pairs.jsonl"), s.String())
	return dir
}

// golang is a few packages of the toolchain.
func golang(t *testing.T) string {
	if goRoot() == "" {
		t.Skip("no go command")
	}
	root, dir := filepath.Join(goRoot(), "src"), filepath.Join(t.TempDir(), "src")
	for _, pkg := range []string{"strings", "bytes", "sort", "strconv", "path", "bufio", "errors", "unicode", "text/tabwriter", "container/list", "container/heap", "container/ring", "html", "encoding/hex", "encoding/csv", "encoding/base64", "mime", "slices", "maps", "cmp"} {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Skipf("the toolchain has no source of %s", pkg)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, pkg, filepath.Base(f)), string(data))
		}
	}
	return dir
}

func TestRaise(t *testing.T) {
	for _, c := range []struct {
		name string
		data func(*testing.T) string
		chat bool
	}{
		{"go source", golang, true},
		{"prose", func(t *testing.T) string { return prose(t, english, ".") }, true},
		{"another script", func(t *testing.T) string { return prose(t, hindi, "।") }, true},
		{"records", records, true},
		{"too few demonstrations", func(t *testing.T) string {
			dir := t.TempDir()
			for i := range 60 {
				write(t, filepath.Join(dir, fmt.Sprint(i), "a.c"), "/* "+sentences(uint64(i), 20, english, ";")+" */\n")
			}
			return dir
		}, false},
	} {
		if testing.Short() && c.name != "prose" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			out, b := filepath.Join(t.TempDir(), "run"), backend(t, 1)
			o := raise.Options{Data: []string{c.data(t)}, Out: out, Budget: 500 * time.Millisecond, Seed: 1, Shapes: tiny, GoRoot: goRoot()}
			r, err := raise.Open(b, o, raise.Watch{})
			if err != nil {
				t.Fatal(err)
			}
			if err := all(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			z, err := bundle.Open(b, out)
			if err != nil {
				t.Fatal(err)
			}
			if z.Chat != c.chat {
				t.Errorf("chat format: %v, want %v", z.Chat, c.chat)
			}
			page, err := os.ReadFile(filepath.Join(out, raise.ReportFile))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"Kneser-Ney, bytes, order 5", "xz", "Licences", "bytes per token"} {
				if !bytes.Contains(page, []byte(want)) {
					t.Errorf("the report lacks %q", want)
				}
			}
			if len(r.Samples()) == 0 {
				t.Error("no samples")
			}
			if _, err := raise.Open(b, o, raise.Watch{}); !errors.Is(err, raise.ErrDone) {
				t.Errorf("opened again: %v, want ErrDone", err)
			}
		})
	}
}

// TestRepeatAndResume runs a plan whole, and again with interruptions in both
// training stages and another number of threads, and compares the weights.
func TestRepeatAndResume(t *testing.T) {
	if testing.Short() {
		t.Skip("seven runs")
	}
	data := golang(t)
	first := filepath.Join(t.TempDir(), "first")
	r, err := raise.Open(backend(t, 2), raise.Options{Data: []string{data}, Out: first, Budget: 500 * time.Millisecond, Seed: 3, Shapes: tiny, GoRoot: goRoot()}, raise.Watch{})
	if err != nil {
		t.Fatal(err)
	}
	if err := all(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(first, bundle.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	second := filepath.Join(t.TempDir(), "second")
	for _, stop := range []struct {
		stage string
		step  int
	}{{"pre-training", 3}, {"pre-training", 6}, {"fine-tuning", 4}, {"reward model", 1}, {"preference tuning", 2}, {"", 0}} {
		ctx, cancel := context.WithCancel(context.Background())
		r, err := raise.Open(backend(t, 1), raise.Options{Out: second, Plan: filepath.Join(first, raise.PlanFile), GoRoot: goRoot()}, raise.Watch{
			Step: func(stage string, m train.Metrics, _ int) {
				if stage == stop.stage && m.Step == stop.step {
					cancel()
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := all(ctx, r); stop.stage == "" && err != nil || stop.stage != "" && !errors.Is(err, train.ErrInterrupted) && !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped in %q at step %d: %v", stop.stage, stop.step, err)
		}
		cancel()
	}
	got, err := os.ReadFile(filepath.Join(second, bundle.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the repeated and interrupted run has other weights")
	}
}

func TestErrors(t *testing.T) {
	b := backend(t, 1)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		o    raise.Options
		want string
	}{
		{"missing data", raise.Options{Data: []string{filepath.Join(dir, "nothing")}, Out: filepath.Join(dir, "a"), Budget: time.Second}, "nothing"},
		{"empty data", raise.Options{Data: []string{t.TempDir()}, Out: filepath.Join(dir, "b"), Budget: time.Second}, "no documents"},
		{"missing plan", raise.Options{Out: filepath.Join(dir, "c"), Plan: filepath.Join(dir, "none.json")}, "none.json"},
	} {
		r, err := raise.Open(b, c.o, raise.Watch{})
		if err == nil {
			err = all(context.Background(), r)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one that says %q", c.name, err, c.want)
		}
	}
	write(t, filepath.Join(dir, "d", raise.PlanFile), `{"version":99,"command":"raise"}`)
	if _, err := raise.Open(b, raise.Options{Out: filepath.Join(dir, "d")}, raise.Watch{}); err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("plan of another version: %v", err)
	}
}
