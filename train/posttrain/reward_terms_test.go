package posttrain_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

func answer(text, reference, finish string, tokens int) posttrain.Answer {
	return posttrain.Answer{
		Prompt:    &posttrain.Prompt{Given: dataset.Text{Plain: "q"}, Reference: reference},
		Candidate: search.Candidate{Text: text, Finish: finish, IDs: make([]int32, tokens)},
	}
}

// TestParseRewards scores one answer by sums of rewards.
func TestParseRewards(t *testing.T) {
	kinds := posttrain.RewardKinds()
	ended := answer("The answer is 4.0 + x := 1", "#### 4", generate.FinishStop, 9)
	code := answer("x := 1", "", generate.FinishLength, 10)
	for _, c := range []struct {
		spec string
		of   posttrain.Answer
		n    int
		want float64
	}{
		{"ended", ended, 1, 1},
		{"ended", code, 1, 0},
		{"0.7*verifier:go-parse+0.3*ended", code, 2, 0.7},
		{"0.7*verifier:go-parse + 0.3*ended", ended, 2, 0.3},
		{"answer:number", ended, 1, 1},
		{"answer:number", answer("The answer is 5", "#### 4", generate.FinishStop, 9), 1, 0},
		{"answer:number", answer("I do not know", "#### 4", generate.FinishStop, 9), 1, 0},
		{"-0.5*length", ended, 1, -5},
		{"ended+-1e+1*length", ended, 2, -99},
		{`match:^\w+ \w+ is.*+ended+2*ended`, ended, 3, 4}, // plus signs of the expression are its own
		{"overlong:4", code, 1, -1},
		{"overlong:4", answer("", "", generate.FinishLength, 8), 1, -0.5},
		{"overlong:4", answer("", "", generate.FinishLength, 6), 1, 0},
		{"repetition", code, 1, 0},
	} {
		terms, err := posttrain.ParseRewards([]string{c.spec}, kinds, 10)
		if err != nil || len(terms) != c.n {
			t.Errorf("%s: %d terms, %v, want %d", c.spec, len(terms), err, c.n)
			continue
		}
		got, names := 0.0, map[string]bool{}
		for _, x := range terms {
			s, err := x.Reward(context.Background(), []posttrain.Answer{c.of})
			if err != nil || s[0].Skip != "" {
				t.Errorf("%s: %v %v", c.spec, s, err)
			}
			got += x.Weight * s[0].Value
			names[x.Name] = true
		}
		if math.Abs(got-c.want) > 1e-12 || len(names) != c.n {
			t.Errorf("%s of %q: %g by %v, want %g", c.spec, c.of.Text, got, names, c.want)
		}
	}
	for spec, want := range map[string]string{
		"": "kinds", "nothing": "kinds", "verifier:x": "unknown", "x*ended": "kinds", "1..2*ended": "no number",
		"ended:1": "no argument", "overlong:11": "1 to 10", "overlong:x": "1 to 10", "match:(": "regexp", "answer:y": "unknown",
	} {
		if _, err := posttrain.ParseRewards([]string{spec}, kinds, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", spec, err, want)
		}
	}
}

// TestNoReference has nothing to compare with: no reward, not the reward 0.
func TestNoReference(t *testing.T) {
	terms, err := posttrain.ParseRewards([]string{"answer:number"}, posttrain.RewardKinds(), 10)
	if err != nil {
		t.Fatal(err)
	}
	for reference, want := range map[string]string{"": "no answer to the prompt", " \n": "no answer to the prompt", "a lot": "none of the kind"} {
		s, err := terms[0].Reward(context.Background(), []posttrain.Answer{answer("4", reference, generate.FinishStop, 3), answer("4", "4", generate.FinishStop, 3)})
		if err != nil || !strings.Contains(s[0].Skip, want) || s[1] != (posttrain.Score{Value: 1}) {
			t.Errorf("reference %q: %v %v", reference, s, err)
		}
	}
}

// FuzzParseRewards takes any text: terms or an error.
func FuzzParseRewards(f *testing.F) {
	for _, s := range []string{"ended", "0.7*verifier:go-parse+0.3*ended", "+*:", "1e+ended", "match:a+b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		terms, err := posttrain.ParseRewards([]string{s}, posttrain.RewardKinds(), 10)
		if err == nil && len(terms) == 0 {
			t.Errorf("%q has no terms and no error", s)
		}
		for _, x := range terms {
			if x.Name == "" || x.Reward == nil || math.IsNaN(x.Weight) || math.IsInf(x.Weight, 0) {
				t.Errorf("%q: term %+v", s, x)
			}
		}
	})
}

// TestCommandReward runs programs that answer in all ways.
func TestCommandReward(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it uses a shell")
	}
	answers := []posttrain.Answer{answer("a", "", "", 1), answer("bb", "r", "", 1), answer("c", "", "", 1)}
	for _, c := range []struct {
		script, want string
		limit        time.Duration
	}{
		{`while read -r l; do echo ${#l}; done`, "31 48 31", time.Minute},
		{`cat >/dev/null; printf '1\nnull\n{"reward":-2.5}\n'`, "1 skip -2.5", time.Minute},
		{`cat >/dev/null; printf '1\nNaN\n"x"\n'`, "1 skip skip", time.Minute},
		{`cat >/dev/null; printf '1\n2\n'`, "skip skip skip", time.Minute},
		{`echo bad >&2; exit 3`, "skip skip skip", time.Minute},
		{`sleep 60`, "skip skip skip", time.Second},
		{`yes`, "skip skip skip", time.Second},
	} {
		r := posttrain.CommandReward(&search.Command{Argv: []string{"/bin/sh", "-c", c.script}, Limit: c.limit})
		scores, err := r(context.Background(), answers)
		if err != nil {
			t.Errorf("%s: %v", c.script, err)
		}
		var got []string
		for _, s := range scores {
			if s.Skip != "" {
				got = append(got, "skip")
			} else {
				got = append(got, fmt.Sprint(s.Value))
			}
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: %s, want %s (%v)", c.script, s, c.want, scores)
		}
	}
}

// FuzzReadScores takes any JSON of a service.
func FuzzReadScores(f *testing.F) {
	for _, s := range []string{"1", "null", `{"reward":1}`, "NaN", "1e999", "[]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := posttrain.ReadScores([]json.RawMessage{json.RawMessage(s)})[0]
		if x.Skip == "" && (math.IsNaN(x.Value) || math.IsInf(x.Value, 0)) {
			t.Errorf("%q is the reward %g", s, x.Value)
		}
	})
}
