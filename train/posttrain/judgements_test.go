package posttrain

import (
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// bytesModel is a tiny model over bytes with the default chat format.
func bytesModel(t *testing.T) *bundle.Bundle {
	t.Helper()
	b := ref.New()
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 8, Heads: 2, Vocab: tok.VocabSize(), Context: 64, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	return &bundle.Bundle{Model: m, Tokenizer: tok, Chat: true}
}

// TestJudgementReader reads one record of each kind, and those that do not fit.
func TestJudgementReader(t *testing.T) {
	z := bytesModel(t)
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(s string) dataset.Text { return dataset.Text{Plain: s} }
	score := 2.5
	read := func(row int, long LongPolicy, rec dataset.Record) (Judgement, bool, *JudgementReader, error) {
		r := &JudgementReader{Writer: w, Loss: LossOf(rec.Kind), Row: row, Long: long, Labels: []string{"no", "yes"}}
		j, ok, err := r.Read(rec)
		return j, ok, r, err
	}
	decode := func(ids []int32) string { return z.Tokenizer.Decode(ids) }

	pair := dataset.Record{Kind: dataset.Preference, Prompt: plain("q"), Chosen: plain("good"), Rejected: plain("bad")}
	j, ok, _, err := read(64, DropLong, pair)
	if err != nil || !ok || len(j.Texts) != 2 || !strings.Contains(decode(j.Texts[0]), "good") || !strings.Contains(decode(j.Texts[1]), "bad") {
		t.Errorf("pair: %v %v %q", ok, err, j.Texts)
	}
	end, _ := z.Tokenizer.SpecialID(chat.End)
	if last := j.Texts[0][len(j.Texts[0])-1]; last != end {
		t.Errorf("the judged token is %d, want the end token %d", last, end)
	}
	pair.Rejected = pair.Chosen
	if _, ok, r, err := read(64, DropLong, pair); ok || err != nil || r.Tally.Identical != 1 {
		t.Errorf("identical pair: %v %v %+v", ok, err, r.Tally)
	}

	if j, ok, _, err := read(64, DropLong, dataset.Record{Kind: dataset.Scored, Prompt: plain("q"), Completion: plain("a"), Score: &score}); !ok || err != nil || j.Score != 2.5 {
		t.Errorf("score: %v %v %+v", ok, err, j)
	}

	steps := dataset.Record{Kind: dataset.Stepwise, Prompt: plain("q"), Steps: []dataset.Step{{Text: "one", Right: true}, {Text: "two"}, {Text: "three", Right: true}}}
	j, ok, _, err = read(64, DropLong, steps)
	if !ok || err != nil || len(j.At) != 3 || !slices.Equal(j.Right, []bool{true, false, true}) {
		t.Fatalf("steps: %v %v %+v", ok, err, j)
	}
	for k, want := range []string{"one\n", "two\n", "three\n"} {
		if got := decode(j.Texts[0][:j.At[k]+1]); !strings.HasSuffix(got, want) {
			t.Errorf("step %d ends %q, want %q", k, got, want)
		}
	}
	whole := len(j.Texts[0])
	if j, ok, r, err := read(whole-1, TruncateRight, steps); !ok || err != nil || len(j.At) != 2 || r.Tally.Truncated != 1 || !strings.HasSuffix(decode(j.Texts[0]), "two\n") {
		t.Errorf("steps cut on the right: %v %v %+v", ok, err, j)
	}
	if j, ok, _, err := read(whole-1, TruncateLeft, steps); !ok || err != nil || len(j.At) != 3 || len(j.Texts[0]) != whole-1 || j.At[2] != whole-2 {
		t.Errorf("steps cut on the left: %v %v %+v", ok, err, j)
	}
	if _, ok, r, err := read(whole-1, DropLong, steps); ok || err != nil || r.Tally.TooLong != 1 {
		t.Errorf("steps dropped: %v %v", ok, err)
	}
	if _, _, _, err := read(whole-1, RefuseLong, steps); err == nil {
		t.Error("steps too long, policy error: no error")
	}

	class := dataset.Record{Kind: dataset.Classified, Prompt: plain("abcdef"), Class: "yes", Source: "f:3"}
	if j, ok, _, err := read(64, DropLong, class); !ok || err != nil || j.Class != 1 || decode(j.Texts[0]) != "abcdef" {
		t.Errorf("class: %v %v %+v", ok, err, j)
	}
	if j, ok, _, err := read(3, TruncateLeft, class); !ok || err != nil || decode(j.Texts[0]) != "def" {
		t.Errorf("class cut on the left: %v %+v", ok, j)
	}
	class.Class = "maybe"
	if _, _, _, err := read(64, DropLong, class); err == nil || !strings.Contains(err.Error(), "f:3") {
		t.Errorf("unknown class: %v, want an error that names the row", err)
	}
	r := &JudgementReader{Writer: w, Loss: Regression, Row: 64}
	if _, _, err := r.Read(class); err == nil {
		t.Error("a record of another kind: no error")
	}
}
