package posttrain

import (
	"path/filepath"
	"strings"
	"testing"

	"os"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

func bytesWriter(t *testing.T) *Writer {
	t.Helper()
	b := fastBackend(t, 1)
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 8, Heads: 2, Vocab: tok.VocabSize(), Context: 64, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(&bundle.Bundle{Model: m, Tokenizer: tok})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// learned is the text of the ids that are learned.
func learned(w *Writer, c *Completion) string {
	var ids []int32
	for i, id := range c.IDs {
		if c.Train[i] {
			ids = append(ids, id)
		}
	}
	return w.z.Tokenizer.Decode(ids)
}

func plainText(s string) dataset.Text { return dataset.Text{Plain: s} }

func TestOnlyTheAnswerIsLearned(t *testing.T) {
	w := bytesWriter(t)
	turns := dataset.Text{Turns: []dataset.Turn{
		{Role: chat.RoleUser, Content: "q"}, {Role: chat.RoleAssistant, Content: "yes"}, {Role: chat.RoleUser, Content: "and"},
	}}
	for _, c := range []struct {
		prompt, answer dataset.Text
		want           string
	}{
		{plainText("q"), plainText("no"), "no"},
		{turns, plainText("yes"), "yes"},
		{turns, dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleAssistant, Content: "so"}, {Role: chat.RoleUser, Content: "?"}, {Role: chat.RoleAssistant, Content: "be"}}}, "so|be"},
	} {
		e, err := w.Answer(c.prompt, c.answer)
		if err != nil {
			t.Fatal(err)
		}
		end, _ := w.z.Tokenizer.SpecialID(chat.End)
		ends := 0
		for i, id := range e.IDs {
			if e.Train[i] && id == end {
				ends++
			}
		}
		want := strings.Split(c.want, "|")
		if got := strings.ReplaceAll(learned(w, &Completion{Example: e}), chat.End, ""); got != strings.Join(want, "") || ends != len(want) {
			t.Errorf("learned %q with %d ends, want %q", got, ends, c.want)
		}
	}
}

func TestPreferenceReader(t *testing.T) {
	w := bytesWriter(t)
	yes, no := true, false
	long := strings.Repeat("long ", 20)
	for _, c := range []struct {
		name    string
		rec     dataset.Record
		long    LongPolicy
		singles bool
		want    string // of the tally
		chosen  string // learned
		err     string
	}{
		{name: "a pair", rec: dataset.Record{Prompt: plainText("q"), Chosen: plainText("a"), Rejected: plainText("bb")}, want: "1 pairs", chosen: "a"},
		{name: "dropped", rec: dataset.Record{Prompt: plainText(long), Chosen: plainText("a"), Rejected: plainText("b")}, want: "1 too long, left out"},
		{name: "cut on the left", rec: dataset.Record{Prompt: plainText(long), Chosen: plainText("a"), Rejected: plainText("b")}, long: TruncateLeft, want: "1 pairs, 2 answers cut", chosen: "a"},
		{name: "an answer that is too long", rec: dataset.Record{Prompt: plainText("q"), Chosen: plainText(long), Rejected: plainText("b")}, long: TruncateLeft, want: "1 too long, left out"},
		{name: "cut on the right", rec: dataset.Record{Prompt: plainText("q"), Chosen: plainText(long), Rejected: plainText("b")}, long: TruncateRight, want: "1 pairs, 1 answers cut", chosen: "long long long lo"},
		{name: "the same after a cut", rec: dataset.Record{Prompt: plainText("q"), Chosen: plainText(long + "a"), Rejected: plainText(long + "b")}, long: TruncateRight, want: "2 answers cut, 1 with identical answers, left out"},
		{name: "refused", rec: dataset.Record{Prompt: plainText(long), Chosen: plainText("a"), Rejected: plainText("b")}, long: RefuseLong, err: "f:1: prompt and answer take"},
		{name: "a thumb", rec: dataset.Record{Kind: dataset.Unpaired, Prompt: plainText("q"), Completion: plainText("a"), Label: &yes}, singles: true, want: "1 thumbs up", chosen: "a"},
		{name: "a thumb down", rec: dataset.Record{Kind: dataset.Unpaired, Prompt: plainText("q"), Completion: plainText("a"), Label: &no}, singles: true, want: "1 thumbs down"},
		{name: "a thumb for a pair", rec: dataset.Record{Kind: dataset.Unpaired, Prompt: plainText("q"), Completion: plainText("a"), Label: &yes}, err: "f:1: an answer with a thumb"},
		{name: "another kind", rec: dataset.Record{Kind: dataset.Scored}, err: "f:1: a record of kind scored"},
	} {
		if c.rec.Kind == "" {
			c.rec.Kind = dataset.Preference
		}
		c.rec.Source = "f:1"
		r := &PreferenceReader{Writer: w, Row: 20, Long: c.long, Singles: c.singles}
		p, ok, err := r.Read(c.rec)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || r.Tally.String() != c.want || ok != strings.ContainsAny(c.want[:3], "1") && !strings.Contains(c.want, "left out") {
			t.Errorf("%s: %v, %q, %v, want %q", c.name, ok, r.Tally.String(), err, c.want)
		}
		if ok && c.chosen != "" {
			if got := strings.TrimSuffix(learned(w, p.Chosen), chat.End); got != c.chosen {
				t.Errorf("%s: %q is learned, want %q", c.name, got, c.chosen)
			}
			if len(p.Chosen.IDs) > 21 {
				t.Errorf("%s: %d ids", c.name, len(p.Chosen.IDs))
			}
		}
	}
}

func TestHeldOut(t *testing.T) {
	n := 0
	for i := range 2000 {
		r := dataset.Record{Prompt: plainText(strings.Repeat("x", i)), Chosen: plainText("a")}
		other := r
		other.Chosen = plainText("b")
		if HeldOut(r, 0.1, 7) != HeldOut(other, 0.1, 7) {
			t.Error("answers to one prompt lie on both sides")
		}
		if HeldOut(r, 0.1, 7) {
			n++
		}
	}
	if n < 150 || n > 250 {
		t.Errorf("%d of 2000 are held out, want about 200", n)
	}
}

// TestTornJournal has a last line that a crash cut off, and a line in the middle
// that is broken.
func TestTornJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := `{"key":"a","value":1.5}` + "\n"
	write(whole + `{"key":"b","val`)
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	var x float64
	if ok, err := j.Get("a", &x); !ok || x != 1.5 || err != nil {
		t.Errorf("got %g, %v, %v", x, ok, err)
	}
	if ok, _ := j.Get("b", &x); ok {
		t.Error("a torn line counts")
	}
	if err := j.Put("b", 2); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(path); string(data) != whole+`{"key":"b","value":2}`+"\n" {
		t.Errorf("the file is %q", data)
	}
	write(whole + "nonsense\n" + whole)
	if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), "j:2: ") {
		t.Errorf("a broken line: %v", err)
	}
}
