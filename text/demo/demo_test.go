package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/chat"
)

func extractor(t testing.TB, o Options) *Extractor {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stream makes a stream of documents that ends with err, if any.
func stream(err error, docs ...text.Document) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
		if err != nil {
			yield(text.Document{}, err)
		}
	}
}

func guide(t testing.TB) text.Document {
	t.Helper()
	data, err := os.ReadFile("testdata/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	return text.Document{ID: "guide.md", Source: "guide.md", Kind: "markdown", Text: string(data)}
}

func jsonLines(t testing.TB, ds []Demonstration) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, d := range ds {
		if err := enc.Encode(d); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestGuide(t *testing.T) {
	ds := extractor(t, Options{Seed: 1}).Document(guide(t))
	golden.Check(t, "guide.jsonl", jsonLines(t, ds))
	checkGrounded(t, guide(t), ds)
}

// checkGrounded checks that responses stand in the document, that a gap's
// answer fills the gap, and that the line is where the response begins.
func checkGrounded(t *testing.T, doc text.Document, ds []Demonstration) {
	t.Helper()
	lines := strings.Split(doc.Text, "\n")
	for _, d := range ds {
		first, _, _ := strings.Cut(d.Response, "\n")
		if l := d.Provenance.Line; l < 1 || l > len(lines) || !strings.Contains(strings.Join(lines[l-1:min(l+12, len(lines))], "\n"), first) {
			t.Errorf("%s %s: response %q is not there", d.Task, d.Provenance, first)
		}
		for line := range strings.Lines(d.Response) {
			if !strings.Contains(doc.Text, strings.TrimSpace(line)) {
				t.Errorf("%s %s: %q is not in the text", d.Task, d.Provenance, line)
			}
		}
		if d.Task == TaskFillIn {
			found := false
			for part := range strings.SplitSeq(d.Prompt, "\n\n") {
				if strings.Contains(part, blank) {
					filled, _, _ := strings.Cut(strings.Replace(part, blank, d.Response, 1), "\n")
					found = strings.Contains(doc.Text, filled)
				}
			}
			if !found {
				t.Errorf("%s: %q does not fill the gap of %q", d.Provenance, d.Response, d.Prompt)
			}
		}
	}
}

// TestLanguages reads the same declaration in each of the languages.
func TestLanguages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "corpora", "udhr"), "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, error %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			doc := text.Document{ID: name, Source: name, Kind: "text", Text: string(data)}
			e := extractor(t, Options{})
			ds := e.Document(doc)
			if len(ds) < 40 || e.Stats.Tally[TaskFillIn].N < 15 {
				t.Errorf("got %d demonstrations: %v", len(ds), e.Stats.Tally)
			}
			checkGrounded(t, doc, ds)
			for _, d := range ds {
				if name != "eng.txt" && strings.Contains(d.Prompt, "\n\n") {
					t.Errorf("%s: English phrase in prompt %q", d.Provenance, d.Prompt)
				}
			}
		})
	}
}

func TestJSONL(t *testing.T) {
	docs := []text.Document{
		{ID: "d/a.jsonl#1", Source: "a.jsonl", Kind: "jsonl", Prompt: "p one", Response: "r one", Text: "p one\nr one"},
		{ID: "d/a.jsonl#2", Source: "a.jsonl", Kind: "jsonl", Prompt: "p two", Response: strings.Repeat("long ", 900)},
		{ID: "d/a.jsonl#3", Source: "a.jsonl", Kind: "jsonl", Prompt: "P  one", Response: "r one"},
		{ID: "d/a.jsonl#4", Source: "a.jsonl", Kind: "jsonl", Text: "A record may hold only text, which is prose by itself. Then it is read like any other prose is read."},
	}
	e := extractor(t, Options{})
	var got []string
	for d, err := range e.Demonstrations(stream(nil, docs...)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, d.Task+" "+d.Provenance.String())
	}
	if len(got) != 3 || got[0] != "pair a.jsonl#1:1" || got[1] != "pair a.jsonl#2:1" || !strings.HasSuffix(got[2], " a.jsonl#4:1") {
		t.Errorf("got %q", got)
	}
	if e.Stats.Duplicates != 1 || e.Stats.Documents != 4 {
		t.Errorf("got stats %+v, want 1 duplicate of 4 documents", e.Stats)
	}
}

func TestKinds(t *testing.T) {
	e := extractor(t, Options{})
	prose := guide(t).Text
	for _, doc := range []text.Document{
		{Kind: "go", Text: prose}, {Kind: "python", Text: prose}, {Kind: "text", Text: prose + "\xff"},
	} {
		if ds := e.Document(doc); len(ds) != 0 {
			t.Errorf("kind %s: got %d demonstrations, want none", doc.Kind, len(ds))
		}
	}
	if e.Stats.Skipped != 3 {
		t.Errorf("got %d skipped, want 3", e.Stats.Skipped)
	}
}

func TestStreamEndsWithError(t *testing.T) {
	broken := errors.New("broken")
	var got error
	n := 0
	for _, err := range extractor(t, Options{}).Demonstrations(stream(broken, guide(t))) {
		got = err
		n++
	}
	if !errors.Is(got, broken) || n < 5 {
		t.Errorf("got error %v after %d, want the stream's at the end", got, n)
	}
}

func TestSeedChoosesAndLimitsHold(t *testing.T) {
	a := extractor(t, Options{Seed: 1}).Document(guide(t))
	b := extractor(t, Options{Seed: 1}).Document(guide(t))
	c := extractor(t, Options{Seed: 2}).Document(guide(t))
	if !reflect.DeepEqual(a, b) || reflect.DeepEqual(a, c) {
		t.Error("one seed must give one result, another seed another")
	}
	for _, d := range extractor(t, Options{MaxPrompt: 90, MaxResponse: 60}).Document(guide(t)) {
		if len(d.Prompt) > 90 || len(d.Response) > 60 {
			t.Errorf("%s: prompt %d, response %d bytes, want at most 90 and 60", d.Provenance, len(d.Prompt), len(d.Response))
		}
	}
	for _, d := range extractor(t, Options{Tasks: []string{TaskDefinition}}).Document(guide(t)) {
		if d.Task != TaskDefinition {
			t.Errorf("got task %s, asked for definitions only", d.Task)
		}
	}
	for _, o := range []Options{{Tasks: []string{"x"}}, {MaxPrompt: -1}, {MinResponse: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("options %+v are accepted", o)
		}
	}
}

func TestHeldOut(t *testing.T) {
	long := "the quick brown fox jumps over the lazy dog while seven wizards boil their very big cauldron of soup"
	h, err := NewHeldOut(stream(nil,
		text.Document{ID: "x/val.txt", Source: "val.txt", Text: "Before. " + long + ". After."},
		text.Document{ID: "x/r.jsonl#7", Source: "r.jsonl", Text: "short"},
		text.Document{ID: "x/zh.txt", Source: "zh.txt", Text: "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心"}))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name       string
		file       string
		prompt     string
		response   string
		wantReason string
	}{
		{"own file", "train.txt", "What?", "Something else.", ""},
		{"held-out file", "val.txt", "What?", "Something else.", "file"},
		{"held-out record", "r.jsonl#7", "a", "b", "file"},
		{"another record of the file", "r.jsonl#8", "a", "b", ""},
		{"same text, other case and spacing", "train.txt", "What?", strings.ToUpper(strings.ReplaceAll(long, " ", "\n  ")) + "!", "text"},
		{"same text in the prompt", "train.txt", long, "yes", "text"},
		{"same text amid much else", "train.txt", "What?", long + strings.Repeat(" one two three", 20), ""},
		{"twelve words alike", "train.txt", "What?", "the quick brown fox jumps over the lazy dog while seven wizards", ""},
		{"thirteen words alike", "train.txt", "What?", "the quick brown fox jumps over the lazy dog while seven wizards boil", "text"},
		{"without spaces", "train.txt", "？", "在尊严和权利上一律平等,他们赋有理性", "text"},
		{"too short to say", "train.txt", "Before", "After", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := Demonstration{Prompt: tt.prompt, Response: tt.response, Provenance: Provenance{File: tt.file}}
			reason, overlaps := h.Overlaps(d)
			if reason != tt.wantReason || overlaps != (tt.wantReason != "") {
				t.Errorf("got %q %v, want %q", reason, overlaps, tt.wantReason)
			}
		})
	}
	var none *HeldOut
	if _, overlaps := none.Overlaps(Demonstration{}); overlaps {
		t.Error("a nil HeldOut overlaps")
	}
}

func TestDeduplicate(t *testing.T) {
	h, err := NewHeldOut(stream(nil, text.Document{Source: "v"}))
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	in := func(yield func(Demonstration, error) bool) {
		_ = yield(Demonstration{Provenance: Provenance{File: "v"}}, nil) &&
			yield(Demonstration{Provenance: Provenance{File: "t"}}, nil) && yield(Demonstration{}, broken)
	}
	dropped := map[string]int{}
	var files []string
	var last error
	for d, err := range h.Deduplicate(in, dropped) {
		files, last = append(files, d.Provenance.File), err
	}
	if !slices.Equal(files, []string{"t", ""}) || last != broken || dropped["file"] != 1 {
		t.Errorf("got files %q, error %v, dropped %v", files, last, dropped)
	}
	if _, err := NewHeldOut(stream(broken)); err != broken {
		t.Errorf("got error %v, want the stream's", err)
	}
}

func TestSeen(t *testing.T) {
	var s Seen
	for _, tt := range []struct {
		kind, text string
		want       bool
	}{
		{"a", "One two", true}, {"a", " one\n\tTWO ", false}, {"b", "One two", true}, {"a", "onetwo", true},
	} {
		if got := s.Add(tt.kind, tt.text); got != tt.want {
			t.Errorf("Add(%q, %q): got %v, want %v", tt.kind, tt.text, got, tt.want)
		}
	}
}

func TestTallyAndMessages(t *testing.T) {
	tally := Tally{}
	d := Demonstration{Task: "x", Prompt: "ab", Response: "cde"}
	tally.Add(d)
	tally.Add(d)
	tally.Add(Demonstration{Task: "a", Prompt: "1"})
	if got, want := tally.String(), "x 2, a 1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := tally.Total(), (Count{3, 5, 6}); got != want {
		t.Errorf("got total %v, want %v", got, want)
	}
	want := []chat.Message{{Role: "user", Content: "ab"}, {Role: "assistant", Content: "cde"}}
	if got := d.Messages(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if Enough(MinDemonstrations-1) || !Enough(MinDemonstrations) {
		t.Error("Enough is not at MinDemonstrations")
	}
}

func FuzzDocument(f *testing.F) {
	f.Add("# A\n\ntext. More text?\n\n== b ==\n- x: y z w\n~~~\n", uint64(0))
	f.Add("人权。问？\n: 、\n____ **a**: ** \xff", uint64(7))
	f.Add("Term\n: its definition here\n\n= =\n#\n|\n<\r\n", uint64(9))
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		e := extractor(t, Options{Seed: seed, MinResponse: 1})
		for _, kind := range []string{"text", "jsonl"} {
			for _, d := range e.Document(text.Document{Kind: kind, Text: s}) {
				if d.Prompt == "" || d.Response == "" {
					t.Errorf("%s: empty prompt or response: %+v", kind, d)
				}
			}
		}
		if h, err := NewHeldOut(stream(nil, text.Document{Source: "a", Text: s})); err == nil {
			h.Overlaps(Demonstration{Prompt: s, Response: s})
		}
		if got := strings.Join(sentences(s), ""); got != s {
			t.Errorf("sentences lose text: got %q, want %q", got, s)
		}
	})
}

func BenchmarkDocument(b *testing.B) {
	doc := guide(b)
	doc.Text = strings.Repeat(doc.Text, 50)
	b.SetBytes(int64(len(doc.Text)))
	for b.Loop() {
		extractor(b, Options{}).Document(doc)
	}
}

func BenchmarkHeldOut(b *testing.B) {
	doc := guide(b)
	doc.Text = strings.Repeat(doc.Text, 50)
	b.SetBytes(int64(len(doc.Text)))
	for b.Loop() {
		if _, err := NewHeldOut(stream(nil, doc)); err != nil {
			b.Fatal(err)
		}
	}
}
