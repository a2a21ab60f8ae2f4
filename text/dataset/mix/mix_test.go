package mix

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/text/dataset"
)

func TestTasks(t *testing.T) {
	for instruction, want := range map[string]Task{
		"Translate the following sentence into French.\n\nWhere is the nearest restaurant?": Translation,
		"Summarize the text below.\n\nOnce upon a time.":                                    Summarising,
		"Write a Python function that reverses a string.":                                   Code,
		"Convert 45 kilometers to meters.":                                                  Mathematics,
		"Rewrite this sentence in passive voice: The cat ate the fish.":                     Rewriting,
		"Edit the following sentence for grammar.\n\nHe go to the park.":                    Rewriting,
		"Classify the following numbers as prime or composite.\n\n11":                       Classification,
		"Extract all dates from the text.":                                                  Extraction,
		"Give me three ideas for a birthday party.":                                         Brainstorming,
		"Write a short story about a fox.":                                                  Generation,
		"What is the capital of France?":                                                    OpenQuestion,
		strings.Repeat("A passage about whales. ", 20) + "\n\nWhat do whales eat?":          ClosedQuestion,
		"Hello!":           Chat,
		"zzz":              Unknown,
		"Explain gravity.": OpenQuestion,
	} {
		if got := TaskOf(dataset.Record{Kind: dataset.Prompts, Prompt: dataset.Text{Plain: instruction}}); got != want {
			t.Errorf("%q is %s, want %s", instruction, got, want)
		}
	}
	turns := []dataset.Turn{{Role: "user", Content: "a"}, {Role: "assistant", Content: "b"}, {Role: "user", Content: "c"}, {Role: "assistant", Content: "d"}}
	if got := TaskOf(dataset.Record{Kind: dataset.Messages, Messages: turns}); got != Chat {
		t.Errorf("several turns are %s", got)
	}
}

// The seeds of self-instruct say which tasks are classification: people's
// judgement, to hold the rules against.
func TestTasksOfSeeds(t *testing.T) {
	var right, found, all, unknown int
	n := 0
	for r, err := range dataset.Read(golden.Data(t, "sft/seed_tasks.jsonl"), dataset.Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
		got := TaskOf(r)
		if got == Unknown {
			unknown++
		}
		is := r.Task == "classification"
		if is {
			all++
		}
		if got == Classification {
			found++
			if is {
				right++
			}
		}
	}
	t.Logf("classification: %d of %d found, %d of %d found are right; %d of %d unknown", right, all, right, found, unknown, n)
	if right*2 < all || right*10 < found*6 || unknown*10 > n {
		t.Errorf("classification: %d of %d found, %d of %d found are right; %d of %d unknown", right, all, right, found, unknown, n)
	}
}

// The Declaration of Human Rights is one text in many languages.
func TestLanguages(t *testing.T) {
	names := map[string]string{
		"amh": "Amharic", "arb": "Arabic", "ben": "Bengali", "bul": "Bulgarian", "ces": "Czech", "cmn_hans": "Chinese", "cmn_hant": "Chinese",
		"deu": "German", "ell_monotonic": "Greek", "eng": "English", "fin": "Finnish", "fra": "French", "heb": "Hebrew", "hin": "Hindi",
		"hun": "Hungarian", "hye": "Armenian", "ind": "Indonesian", "ita": "Italian", "jpn": "Japanese", "kat": "Georgian", "khm": "Khmer",
		"kor": "Korean", "mya": "Burmese", "nld": "Dutch", "pol": "Polish", "por_PT": "Portuguese", "ron": "Romanian", "rus": "Russian",
		"spa": "Spanish", "srp_cyrl": "Serbian", "swe": "Swedish", "tam": "Tamil", "tha": "Thai", "tur": "Turkish", "ukr": "Ukrainian", "vie": "Vietnamese",
	}
	dir := golden.Data(t, "corpora/udhr")
	right, wrong, unknown := 0, 0, 0
	for file, want := range names {
		data, err := os.ReadFile(filepath.Join(dir, file+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		if got := LanguageOf(string(data[len(data)/3:])); got != want {
			t.Errorf("%s is %s, want %s", file, got, want)
		}
		for _, p := range strings.Split(string(data), "\n") {
			if len(p) < 80 {
				continue
			}
			switch got := LanguageOf(p); {
			case got == want:
				right++
			case strings.HasPrefix(got, "unknown"):
				unknown++
			default:
				wrong++
			}
		}
	}
	t.Logf("paragraphs: %d right, %d wrong, %d unknown", right, wrong, unknown)
	if n := float64(right + wrong + unknown); float64(wrong) > 0.02*n || float64(right) < 0.9*n {
		t.Errorf("paragraphs: %d right, %d wrong, %d unknown", right, wrong, unknown)
	}
	for s, want := range map[string]string{"": "", "12 + 3": "", "xq zk wv bb": "unknown (Latin)"} {
		if got := LanguageOf(s); got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}

func TestReport(t *testing.T) {
	c := New(Options{Costs: Costs{PerDemonstration: 2, PerPair: 3, PerHour: 10}})
	pair := func(prompt, answer, source string) dataset.Record {
		return dataset.Record{Kind: dataset.PromptCompletion, Prompt: dataset.Text{Plain: prompt}, Completion: dataset.Text{Plain: answer}, Source: source}
	}
	long := "Name the planets of the solar system in the order of their distance from the sun, and say which of them have rings and which have no moon."
	for _, r := range []dataset.Record{
		pair("What is one?", "It is one.", "a:1"),
		pair("what  is ONE?", "It is one.", "a:2"), // exact
		pair("What is one?", "Another answer.", "a:3"),
		pair(long, "Mercury.", "a:4"),
		pair(long, "Mercury, then Venus.", "a:5"), // near
		{Kind: dataset.Preference, Prompt: dataset.Text{Plain: "x"}, Chosen: dataset.Text{Plain: "longer"}, Rejected: dataset.Text{Plain: "short"}, Source: "a:6"},
		{Kind: dataset.Preference, Prompt: dataset.Text{Plain: "y"}, Chosen: dataset.Text{Plain: "same!"}, Rejected: dataset.Text{Plain: "equal"}, Source: "a:7"},
	} {
		c.Add(r)
	}
	r := c.Report()
	if r.Records != 7 || r.Kinds[0] != (Count{"prompt-completion", 5, 5.0 / 7}) || r.Duplicates.Exact != 1 || r.Duplicates.Near != 1 || r.Duplicates.Prompts != 3 {
		t.Errorf("%+v", r)
	}
	if len(r.Duplicates.Examples) != 1 || r.Duplicates.Examples[0].Of != "a:4" || r.Duplicates.Examples[0].Again != "a:5" {
		t.Errorf("near duplicates %v", r.Duplicates.Examples)
	}
	if *r.LongerWins != 0.75 {
		t.Errorf("longer wins %g", *r.LongerWins)
	}
	if r.Cost.Hours != (5*2+2*3)/60.0 || math.Abs(r.Cost.Price-r.Cost.Hours*10) > 1e-12 {
		t.Errorf("cost %+v", r.Cost)
	}
	if got := lengths([]int{5, 1, 9, 3}); got != (Lengths{4, 4.5, 1, 5, 9, 9, 9, 18}) {
		t.Errorf("lengths %+v", got)
	}
	byWords := Costs{}.estimate(2, 1, 2*238, 3*19)
	if math.Abs(byWords.Hours-(2+3+36.8/60)/60) > 1e-12 || math.Abs(byWords.PricePerHour-300/(36.8/3.6)) > 1e-9 {
		t.Errorf("cost by words %+v", byWords)
	}
}

func TestEvalOverlap(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "eval.jsonl")
	words := "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
	if err := os.WriteFile(path, []byte(`{"question":"`+words+`?","answer":"x"}`+"\n"+`{"question":"Who was it?","answer":"nobody"}`+"\n{\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var skips dataset.Skips
	e, err := OpenEval(path, &skips)
	if err != nil || len(e.Items) != 2 || skips.Rows != 1 {
		t.Fatalf("%v, %v, %v", e, skips, err)
	}
	records := []dataset.Record{
		{Kind: dataset.PromptCompletion, Prompt: dataset.Text{Plain: "Say: " + words + " end"}, Completion: dataset.Text{Plain: "?"}, Source: "d:1"},
		{Kind: dataset.PromptCompletion, Prompt: dataset.Text{Plain: "who was it"}, Completion: dataset.Text{Plain: "?"}, Source: "d:2"},
	}
	o, err := e.Overlap(records, 0)
	if err != nil || o.Questions != 2 || o.Example != path+":1 = d:1" {
		t.Errorf("%+v, %v", o, err)
	}
	if o.Grams.N != 13 || o.Grams.Total != 3 || o.Grams.Found != 1 { // the 14th word has a question mark in the set
		t.Errorf("n-grams %+v", o.Grams)
	}
	if _, err := OpenEval(filepath.Join(dir, "none.jsonl"), &skips); err == nil {
		t.Error("a set that is not there was read")
	}
}

// Of many texts, evenly spaced ones are kept.
func TestSpaced(t *testing.T) {
	for _, n := range []int{0, 1, mostMeasured, mostMeasured + 1, 2*mostMeasured + 1, 5 * mostMeasured} {
		var s spaced
		for i := range n {
			s.add(strconv.Itoa(i))
		}
		if len(s.texts) > mostMeasured || len(s.texts) < min(n, mostMeasured/2) {
			t.Errorf("%d of %d texts are kept", len(s.texts), n)
		}
		for i, text := range s.texts {
			if text != strconv.Itoa(i*s.step) {
				t.Fatalf("text %d of %d is %s, want every %d", i, n, text, s.step)
			}
		}
	}
}
