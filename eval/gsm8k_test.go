package eval

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"testing"

	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/golden"
)

// gsm8kSystems are those of Cobbe et al. 2021; the last comes first in ties.
var gsm8kSystems = []string{"175b_verification", "175b_finetuning", "6b_verification", "6b_finetuning"}

// gsm8kSolution is a system's solution with the authors' judgement.
type gsm8kSolution struct {
	Right    bool `json:"is_correct"`
	Solution string
}

// gsm8kRows calls f with the answer of every problem and the solutions of the systems.
func gsm8kRows(t *testing.T, f func(truth string, solutions []gsm8kSolution)) {
	t.Helper()
	file, err := os.Open(golden.Data(t, "eval", "gsm8k", "example_model_solutions.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(z); d.More(); {
		var row map[string]json.RawMessage
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		var truth string
		solutions := make([]gsm8kSolution, len(gsm8kSystems))
		if err := json.Unmarshal(row["ground_truth"], &truth); err != nil {
			t.Fatal(err)
		}
		for i, name := range gsm8kSystems {
			if err := json.Unmarshal(row[name], &solutions[i]); err != nil {
				t.Fatal(err)
			}
		}
		f(truth, solutions)
	}
}

// TestGSM8K recomputes from the published solutions of four systems what each of
// them, a verifier, a vote and an oracle reach. Our own extraction must judge every
// solution as the authors did.
func TestGSM8K(t *testing.T) {
	solved := map[string]int{}
	n, any, majority, agree, agreeRight := 0, 0, 0, 0, 0
	gsm8kRows(t, func(truth string, solutions []gsm8kSolution) {
		n++
		want, ok := search.Number(truth)
		if !ok {
			t.Fatalf("no answer in %q", truth)
		}
		var vote search.Tally
		hit := false
		for i, s := range solutions {
			answer, ok := search.Number(s.Solution)
			if right := ok && answer == want; right != s.Right {
				t.Errorf("%s: %q for %s is right: %v, the authors say %v: %s", gsm8kSystems[i], answer, want, right, s.Right, s.Solution)
			}
			if s.Right {
				solved[gsm8kSystems[i]]++
			}
			hit = hit || s.Right
			if ok {
				vote.Add(i, answer, 1)
			}
		}
		if hit {
			any++
		}
		_, first, votes := vote.Leader()
		right := first >= 0 && solutions[first].Right
		if right {
			majority++
		}
		if votes == 4 {
			agree++
			if right {
				agreeRight++
			}
		}
	})
	t.Logf("%d problems: %v; any of 4 %d, majority %d, all agree %d, of them right %d (%.1f %%)", n, solved, any, majority, agree, agreeRight, 100*float64(agreeRight)/float64(agree))
	data, err := os.ReadFile(golden.Data(t, "eval", "gsm8k", "EXPECTED.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string]float64
	if err := json.Unmarshal(data, &expected); err != nil {
		t.Fatal(err)
	}
	if float64(n) != expected["n"] {
		t.Errorf("%d problems, want %v", n, expected["n"])
	}
	for _, name := range gsm8kSystems {
		if got := float64(solved[name]) / float64(n); got != expected[name] {
			t.Errorf("%s: %v, want %v", name, got, expected[name])
		}
	}
	// A verifier is worth 30 times the size, any of four is worth more, and where all
	// agree they are nearly always right.
	if !(solved["6b_verification"] > solved["175b_finetuning"] && any > solved["175b_verification"]) {
		t.Errorf("order of the systems: %v, any of four %d", solved, any)
	}
	want := map[int][4]int{600: {396, 336, 81, 78}, 1319: {887, 730, 163, 156}}[n]
	if got := [4]int{any, majority, agree, agreeRight}; got != want {
		t.Errorf("any of 4, majority, all agree, of them right: %v, want %v", got, want)
	}
}
