package lab

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/eval"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/rng"
)

// The world is what it says: shares add up to 1, draws follow them, and the expected
// figures are those of many draws.
func TestTrustWorld(t *testing.T) {
	w := newTrustWorld(100, 3)
	const draws = 20000
	for _, s := range []int{0, 9, 13, 18} {
		count := make([]float64, trustPlaces)
		for k := range uint64(draws) {
			count[w.draw(s, rng.Float64(5, uint64(s), k))]++
		}
		sum := 0.0
		for p := range trustPlaces {
			sum += w.share(s, p)
			if math.Abs(count[p]/draws-w.share(s, p)) > 0.012 {
				t.Errorf("subject %d, place %d: drawn %v, share %v", s, p, count[p]/draws, w.share(s, p))
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("the shares of subject %d add up to %v", s, sum)
		}
	}
	var distrust []float64
	var wrong []bool
	right := 0.0
	for k := range uint64(20000) {
		s := int(k) % len(w.facts)
		p := w.draw(s, rng.Float64(6, 1, k))
		distrust, wrong = append(distrust, -w.share(s, p)), append(wrong, p != w.facts[s].truth)
		if p == w.facts[s].truth {
			right += 1. / 20000
		}
	}
	share, auroc := w.expected()
	got := eval.AUROC(distrust, wrong)
	if math.Abs(share-right) > 0.01 || math.Abs(auroc-got.Value) > 0.01 {
		t.Errorf("expected %.3f right with AUROC %.3f, drawn %.3f and %.3f", share, auroc, right, got.Value)
	}
	names := map[string]bool{}
	for s := range 10000 {
		names[subjectName(s)] = true
	}
	if len(names) != 10000 {
		t.Errorf("10000 subjects have %d names", len(names))
	}
}

// The model is right as often as its data, and what is planted is found: confidence
// of any kind where the data is honest, its mistakes only by a context.
func TestTrust(t *testing.T) {
	t.Parallel()
	r, err := Trust(t.Context(), exactBackend(t, 1), TrustOptions{Subjects: 120, Samples: 8, Steps: 500, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Expected < r.Right.Low || r.Expected > r.Right.High || r.Malformed > 3 {
		t.Errorf("right %+v, expected %.3f, %d malformed", r.Right, r.Expected, r.Malformed)
	}
	of := map[string]Detector{}
	for _, d := range r.Detectors {
		of[d.Name] = d
		if d.Area < d.Best-1e-9 || len(d.Curve) != curvePoints || math.Abs(d.Curve[curvePoints-1][1]-(1-r.Right.Value)) > 1e-9 {
			t.Errorf("%s: %+v", d.Name, d)
		}
	}
	if x := of["exact probability, for comparison"]; r.Ceiling < x.AUROC.Low || r.Ceiling > x.AUROC.High {
		t.Errorf("exact probabilities: %+v, expected %.3f", x.AUROC, r.Ceiling)
	}
	for _, name := range []string{"mean log-probability", "P(True)", "agreement", "semantic entropy, equal answers", "SelfCheck, words", "grounding in a context"} {
		if d := of[name]; d.Honest == nil || d.Honest.Value < 0.75 {
			t.Errorf("%s without mistakes: %+v", name, d.Honest)
		}
	}
	for _, name := range []string{"exact probability, for comparison", "token entropy", "mean log-probability", "P(True)", "agreement"} {
		if d := of[name]; d.AUROC.Value > d.Honest.Value-0.02 {
			t.Errorf("%s sees what the data is wrong about: %+v, %+v without", name, d.AUROC, d.Honest)
		}
	}
	if d := of["grounding in a context"]; d.AUROC.Value < d.Honest.Value-0.02 {
		t.Errorf("a context does not help with what the data is wrong about: %+v", d)
	}
	all := 0.0
	for _, x := range r.Policy {
		all += x.Share
	}
	if math.Abs(all-1) > 1e-9 || r.Policy[0].Right.Value <= r.Policy[2].Right.Value {
		t.Errorf("the policy: %+v", r.Policy)
	}
	page := new(strings.Builder)
	if err := r.Page().Render(page); err != nil || !strings.Contains(page.String(), "grounding in a context") {
		t.Errorf("page: %v", err)
	}
	for _, bad := range []TrustOptions{{Subjects: 3}, {Samples: -1}, {Steps: -1}, {Data: t.TempDir()}} {
		if _, err := Trust(t.Context(), exactBackend(t, 1), bad, nil); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// One thread and two give the same answers.
func TestTrustThreads(t *testing.T) {
	o := TrustOptions{Subjects: 20, Samples: 1, Steps: 5}
	one, err := Trust(t.Context(), exactBackend(t, 1), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Trust(t.Context(), exactBackend(t, 2), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range one.Detectors {
		if one.Detectors[i].Area != two.Detectors[i].Area {
			t.Errorf("one thread: %+v, two: %+v", one.Detectors[i], two.Detectors[i])
		}
	}
}

// The real sets have the judgements that their files have.
func TestTrustSets(t *testing.T) {
	t.Parallel()
	sets, err := trustSets(golden.Data(t, "eval"))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string][2]int{}
	for _, s := range sets {
		counts[s.Name] = [2]int{s.N, s.Wrong}
	}
	for name, want := range map[string][2]int{
		"HaluEval, general": {1500, 289}, "FacTool, knowledge": {233, 56}, "FActScore": {4071, 1971},
	} {
		if counts[name] != want {
			t.Errorf("%s: %v texts and wrong ones, want %v", name, counts[name], want)
		}
	}
	if len(sets) != 5 {
		t.Fatalf("%d sets", len(sets))
	}
	// What people wrote as right answers is grounded in other right answers better
	// than what they wrote as wrong ones.
	if d := sets[0].Detectors[0]; d.Name != "grounding in right answers" || d.AUROC.Low < 0.55 {
		t.Errorf("%s: %+v", sets[0].Name, d)
	}
}

func TestTrustReadersNameTheFault(t *testing.T) {
	for _, c := range []struct{ file, text, want string }{
		{"halueval_general.jsonl.gz", "", "gzip|EOF"},
		{"factool_knowledge_qa.jsonl", "{\"claims\":[]}\n{", "line 2"},
		{"factool_knowledge_qa.jsonl", "{}", "nothing in it was judged"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := trustSets(dir)
		if err == nil || !strings.Contains(err.Error(), c.file) || !strings.Contains(c.want, "|") && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.file, err, c.want)
		}
	}
	for _, c := range []struct{ text, want string }{
		{"a,b\n1,2\n", "no column model_answer"},
		{"model_answer,logprobs,correct_answers,incorrect_answers\nx,{,a,b\n", "line 2: column logprobs"},
		{"model_answer,logprobs,correct_answers,incorrect_answers\nx,\"{\"\"tokens\"\":[\"\"a\"\"]}\",a,b\n", "1 tokens, 0 log"},
	} {
		if _, err := readAda(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.text, err, c.want)
		}
	}
	if _, err := readHaluEval(strings.NewReader(`{"hallucination":"perhaps"}`)); err == nil || !strings.Contains(err.Error(), "yes or no") {
		t.Errorf("%v", err)
	}
	if _, err := readFActScore(strings.NewReader(`{"annotations":[{"human-atomic-facts":[{"label":"X"}]}]}`)); err == nil || !strings.Contains(err.Error(), "line 1: a fact's label") {
		t.Errorf("%v", err)
	}
}

func FuzzTrustReaders(f *testing.F) {
	f.Add(0, "model_answer,logprobs,correct_answers,incorrect_answers\nx,\"{\"\"tokens\"\":[\"\"a\"\"],\"\"token_logprobs\"\":[-1]}\",a;b,c\n")
	f.Add(2, `{"user_query":"q","chatgpt_response":"r 1.","hallucination":"yes"}`)
	f.Add(3, `{"prompt":"p","claims":[{"claim":"c","label":true},{}]}`)
	f.Add(4, `{"annotations":[{"human-atomic-facts":[{"text":"A B","label":"NS"}]}]}`)
	f.Fuzz(func(t *testing.T, kind int, text string) {
		for i, x := range trustFiles {
			if i != kind {
				continue
			}
			j, err := x.read(strings.NewReader(text))
			if err != nil {
				return
			}
			for name, values := range j.figures {
				if len(values) != len(j.wrong) {
					t.Fatalf("%s has %d values of %d texts", name, len(values), len(j.wrong))
				}
			}
		}
	})
}

func TestCalibrate(t *testing.T) {
	var distrust []float64
	var wrong []bool
	for i := range 200 {
		distrust, wrong = append(distrust, float64(i/2)), append(wrong, i >= 100)
	}
	wrong[10], wrong[190] = true, false
	// 5 of the first 104 are wrong, 5 of the first 106 where the first is right.
	for _, c := range []struct {
		name        string
		wrong       []bool
		calm, grave float64
	}{
		{"one border", wrong, 51.5, 51.5},
		{"all right", make([]bool, 200), 99, 99},
		{"ties", append(make([]bool, 101), wrong[101:]...), 52.5, 52.5},
	} {
		if calm, grave := calibrate(distrust, c.wrong); calm != c.calm || grave != c.grave {
			t.Errorf("%s: %v and %v, want %v and %v", c.name, calm, grave, c.calm, c.grave)
		}
	}
	some := make([]bool, 200)
	for i := range some {
		some[i] = i >= 150 || i >= 80 && i%2 == 0
	}
	if calm, grave := calibrate(distrust, some); calm < 39 || calm > 45 || grave < 45 || grave > 75 {
		t.Errorf("a doubtful middle: %v and %v", calm, grave)
	}
}
