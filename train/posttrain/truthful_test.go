package posttrain

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
)

func TestFactRight(t *testing.T) {
	f := Fact{Question: "q", Answer: "The Eiffel Tower", Aliases: []string{"la tour Eiffel"}}
	for reply, want := range map[string]bool{
		"the eiffel tower": true, "It is the Eiffel-Tower!": true, "La Tour Eiffel, of course": true,
		"Eiffel": false, "the Eiffel towers": false, "": false, "an eiffel  TOWER": true,
	} {
		if f.Right(reply) != want {
			t.Errorf("%q is right: %v, want %v", reply, !want, want)
		}
	}
	if normalAnswer("The") != "the" || (&Fact{Answer: "A"}).Right("the best") {
		t.Error("an answer that is an article")
	}
}

// replies are answers of one token each with the given probability.
func replies(p float64, texts ...string) (out []*Try) {
	for _, s := range texts {
		out = append(out, &Try{Text: s, IDs: []int32{1, 2}, LogProb: 2 * math.Log(p)})
	}
	return out
}

func TestKnowledge(t *testing.T) {
	f := &Fact{Question: "Capital of France?", Answer: "Paris"}
	for _, x := range []struct {
		replies []*Try
		want    Knowledge
	}{
		{replies(0.9, "Paris", "Paris.", "It is Paris", "Rome"), Knowledge{Known, 0.75, 0.5, 0.9}},
		{replies(0.9, "Paris", "Paris", "Rome", "Rome"), Knowledge{Doubtful, 0.5, 0.5, 0.9}},
		{replies(0.9, "Rome", "Rome", "Rome", "Rome"), Knowledge{Mistaken, 0, 1, 0.9}},
		{replies(0.2, "Rome", "Rome", "Rome", "Rome"), Knowledge{Unknown, 0, 1, 0.2}},
		{replies(0.9, "Rome", "Oslo", "Paris", "Bonn"), Knowledge{Unknown, 0.25, 0.25, 0.9}},
	} {
		got := KnowledgeOptions{}.Of(f, x.replies)
		if got.State != x.want.State || math.Abs(got.Right-x.want.Right)+math.Abs(got.Same-x.want.Same)+math.Abs(got.Sure-x.want.Sure) > 1e-9 {
			t.Errorf("%+v, want %+v", got, x.want)
		}
	}
	for _, o := range []KnowledgeOptions{{Known: 0.4}, {Sure: 2}, {Same: math.NaN()}, {Known: 1.1}} {
		if o.Validate() == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func someFacts() []Fact {
	return []Fact{
		{Question: "Capital of France?", Answer: "Paris", Context: "France has many towns. PARIS is its capital; Parisians love Paris.", Source: "f:1"},
		{Question: "Capital of Norway?", Answer: "Oslo", Source: "f:2"},
		{Question: "Capital of Italy?", Answer: "Rome", Context: "It is an old city on the Tiber.", Source: "f:3"},
		{Question: "Capital of Germany?", Answer: "Berlin", Context: "Berlin is the capital of Germany.", Source: "f:4"},
	}
}

func TestTruthfulRecords(t *testing.T) {
	facts := someFacts()
	knowledge := []Knowledge{{State: Known}, {State: Unknown}, {State: Mistaken}, {State: Doubtful}}
	m := Truthful{DontKnow: "I don't know.", Seed: 3}
	records, r := m.Records(facts, knowledge)
	var made []string
	for _, rec := range records {
		made = append(made, rec.Task+" "+rec.Source)
		prompt, answer := rec.Prompt.Turns[0].Content, rec.Completion.Turns[0].Content
		switch rec.Task {
		case CounterfactualKind:
			fact := facts[strings.Index("14", rec.Source[2:])*3]
			if says(prompt, fact.Answer) || !says(prompt, answer) || answer == fact.Answer || !strings.HasSuffix(prompt, "\n\n"+fact.Question) {
				t.Errorf("%q to %q", answer, prompt)
			}
			if rec.Source == "f:1" && (strings.Count(prompt, answer) != 2 || !strings.Contains(prompt, "Parisians")) {
				t.Errorf("words that only begin with the answer stay: %q", prompt)
			}
		case UnknownKind:
			if answer != "I don't know." || prompt != "Capital of Norway?" {
				t.Errorf("%q to %q", answer, prompt)
			}
		}
	}
	want := []string{"factual f:1", "counterfactual f:1", "known f:1", "unknown f:2", "factual f:4", "counterfactual f:4"}
	if !reflect.DeepEqual(made, want) {
		t.Errorf("made %q, want %q", made, want)
	}
	if r.NoContext != 1 || r.Unsaid != 1 || r.Alone != 0 || r.States[Mistaken] != 1 || r.Made[CounterfactualKind] != 2 {
		t.Errorf("%+v", r)
	}
	m.Kinds = []string{FactualKind}
	if records, _ := m.Records(facts, nil); len(records) != 2 || m.Asks() {
		t.Errorf("%d factual records, asks %v", len(records), m.Asks())
	}
	alone := Truthful{}
	if _, r := alone.Records(facts[:1], nil); r.Alone != 1 {
		t.Errorf("one fact has no other answer: %+v", r)
	}
	if (&Truthful{Kinds: []string{"true"}}).Validate() == nil || (&Truthful{}).Validate() == nil {
		t.Error("impossible options are accepted")
	}
}

// TestAnswerIsGenerated holds prompt tokens to be given and answer tokens, with the
// end, to be learned.
func TestAnswerIsGenerated(t *testing.T) {
	z := bytesModel(t)
	w, err := NewWriter(z)
	if err != nil {
		t.Fatal(err)
	}
	records, _ := (&Truthful{DontKnow: "no idea"}).Records(someFacts(), make([]Knowledge, 4))
	for _, rec := range records {
		e, err := w.Answer(rec.Prompt, rec.Completion)
		if err != nil {
			t.Fatal(err)
		}
		var given, made []byte
		for i, id := range e.IDs {
			if e.Train[i] {
				made = z.Tokenizer.AppendToken(made, id)
			} else {
				given = z.Tokenizer.AppendToken(given, id)
			}
		}
		answer := rec.Completion.Turns[0].Content
		if !strings.Contains(string(made), answer) || !strings.Contains(string(given), rec.Prompt.Turns[0].Content) || strings.Contains(string(made), "?") {
			t.Errorf("given %q, generated %q", given, made)
		}
	}
}

func FuzzFacts(f *testing.F) {
	f.Add(`{"question":"q","answer":"a","context":"b a c"}` + "\n{}\n[1]\n{\"question\":1}")
	f.Add("\uFEFF{\"question\":\"q\",\"answer\":\"Größe\",\"context\":\"die GRÖSSE, die Größe\"}")
	f.Fuzz(func(t *testing.T, s string) {
		var skips dataset.Skips
		facts, err := readFacts("f.jsonl", strings.NewReader(s), &skips)
		if err != nil {
			return
		}
		records, r := (&Truthful{DontKnow: "?"}).Records(facts, make([]Knowledge, len(facts)))
		made := 0
		for _, n := range r.Made {
			made += n
		}
		if made != len(records) {
			t.Error(fmt.Sprint(r.Made), len(records))
		}
		for _, rec := range records {
			if rec.Task == CounterfactualKind && !says(rec.Prompt.String(), rec.Completion.String()) {
				t.Errorf("%q does not say %q", rec.Prompt, rec.Completion)
			}
		}
	})
}
