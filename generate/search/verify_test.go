package search

import (
	"context"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func judge(t *testing.T, v Verifier, text string) Verdict {
	t.Helper()
	r, err := v(t.Context(), &Candidate{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParsesAsGo(t *testing.T) {
	for text, want := range map[string]bool{
		"package p\nfunc f() {}": true, "func f() {}": true, "x := 1": true, "```go\nfunc f() {}\n```": true,
		"func f( {}": false, "": false, "package p": false, "package p\nfunc": false, "two words": false,
		strings.Repeat("x\n", maxGoBytes): false,
	} {
		if r := judge(t, ParsesAsGo, text); r.Pass != want || (r.Why == "") != want {
			t.Errorf("%.40q: %+v", text, r)
		}
	}
}

func TestArithmetic(t *testing.T) {
	for _, c := range []struct {
		text  string
		pass  bool
		score float64
	}{
		{"16 - 3 - 4 = <<16-3-4=9>>9 eggs, 9 * 2 = $<<9*2=18>>18", true, 1},
		{"<<2+2=5>> and <<3*3=9>>", false, 0.5},
		{"So 3 x 4 = 12 and 12 ÷ 5 = 2.4.", true, 1}, {"$3 + $4 = $7", true, 1}, {"2 + 2 = 5", false, 0},
		{"10/3=3.33", true, 1}, {"10/3 = 3.4", false, 0}, {"(1+2)*3 = 9", true, 1}, {"1,000 + 1 = 1,001", true, 1},
		{"nothing to check", false, 0}, {"x = 3", false, 0}, {"1/0 = 3", false, 0},
	} {
		r := judge(t, Arithmetic, c.text)
		if r.Pass != c.pass || r.Score != c.score {
			t.Errorf("%q: %+v, want pass %v, score %v", c.text, r, c.pass, c.score)
		}
	}
	for _, s := range []string{strings.Repeat("(", 5000), strings.Repeat("9*", 2000) + "9", strings.Repeat("-", 200) + "1", "1/", "()"} {
		if v, ok := Evaluate(s); ok {
			t.Errorf("%.20q...: %v", s, v.Num().BitLen())
		}
	}
}

func TestSchema(t *testing.T) {
	v, err := Schema([]byte(`{"type":"object","required":["n"],"properties":{"n":{"type":"integer","minimum":3},"d":{"format":"date"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		`{"n":3}`: true, "here: ```json\n{\"n\": 4}\n```": true, `{"n":3.0}`: true, `{"n":2}`: false, `{}`: false, "none": false,
		`{"n":3,"d":"2024-02-30"}`: false, `{"n":1e999999999}`: false,
	} {
		if r := judge(t, v, text); r.Pass != want || (r.Why == "") != want || strings.Contains(r.Why, "\n") {
			t.Errorf("%s: %+v", text, r)
		}
	}
	for schema, want := range map[string]string{
		`{`: "JSON Schema", `{"type":"strange"}`: "JSON Schema", `{"$ref":"http://example.com/s.json"}`: "$defs", `{"$ref":"other.json"}`: "$defs",
		`{"minimum":1e999999999}`:                       "too large",
		`[` + strings.Repeat(" ", MaxSchemaBytes) + `]`: "at most",
	} {
		if _, err := Schema([]byte(schema)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %v, want %q", schema, err, want)
		}
	}
}

func TestCommand(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no sh: ", err)
	}
	run := func(script string, limit time.Duration) Verifier {
		return (&Command{Argv: []string{sh, "-c", script}, Limit: limit}).Verify
	}
	for _, c := range []struct {
		script, text string
		want         Verdict
	}{
		{"grep -q yes", "oh yes", Verdict{true, 1, ""}},
		{"grep -q yes || { echo no yes >&2; exit 3; }", "no", Verdict{false, 0, "no yes"}},
		{"wc -c", "12345", Verdict{true, 5, ""}},
		{"echo 0.25; exit 1", "", Verdict{false, 0.25, "0.25"}},
		{"exit 7", "", Verdict{false, 0, "exit status 7"}},
		{"yes | head -c 1000000", strings.Repeat("x", 1<<20), Verdict{true, 1, ""}}, // reads nothing, writes much
	} {
		if got := judge(t, run(c.script, 0), c.text); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.script, got, c.want)
		}
	}
	start := time.Now()
	r := judge(t, run("sleep 60 & sleep 60", 50*time.Millisecond), "")
	if r.Pass || !strings.Contains(r.Why, "longer than 50ms") || time.Since(start) > 20*time.Second {
		t.Errorf("a slow verifier: %+v after %v", r, time.Since(start))
	}
	if _, err := run("no-such-program-here", 0)(t.Context(), &Candidate{}); err == nil || !strings.Contains(err.Error(), "exit status 127") {
		t.Errorf("a shell that found no program: %v", err)
	}
	for _, c := range []struct {
		script string
		want   float64 // NaN: not fit
		err    string
	}{
		{"wc -c", 2, ""}, {"echo -3.5; exit 1", -3.5, ""}, {"exit 1", math.NaN(), ""},
		{"echo much", 0, `its first line is "much", and a number is due`}, {"true", 0, "a number is due"}, {"echo nan", 0, "a number is due"},
	} {
		got, err := (&Command{Argv: []string{sh, "-c", c.script}}).Grade(t.Context(), &Candidate{Text: "ab"})
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: grade %v (%v), want %v (%s)", c.script, got, err, c.want, c.err)
		}
	}
	if _, err := (&Command{Argv: []string{"no-such-program-here"}}).Verify(t.Context(), &Candidate{}); err == nil {
		t.Error("a program that is not there gave a verdict")
	}
	if _, err := (&Command{}).Verify(t.Context(), &Candidate{}); err == nil {
		t.Error("an empty command gave a verdict")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run("true", 0)(ctx, &Candidate{}); err == nil {
		t.Error("a verdict after the end of the context")
	}
}

func TestVerifiedSelectors(t *testing.T) {
	c := texts("2+2=5 #### 5", "1+1=2 #### 2", "9-5=4 #### 4", "8-4=4 #### 4", "4+1=6 #### 5", "#### 5")
	calls := 0
	v := Remember(func(ctx context.Context, c *Candidate) (Verdict, error) {
		calls++
		return Arithmetic(ctx, c)
	})
	if ch := choose(t, Verified(v), c); ch.Index != 1 || ch.Why != "3 of 6 passed" {
		t.Errorf("verifier: %+v", ch)
	}
	if ch := choose(t, VerifiedVote(v, Number), c); ch.Index != 2 || ch.Answer != "4" {
		t.Errorf("vote of those that pass: %+v", ch)
	}
	if ch := choose(t, Majority(Number), c); ch.Answer != "5" {
		t.Errorf("vote of all: %+v", ch)
	}
	if ch := choose(t, Reward(ByGrade(v)), c); ch.Index != 1 {
		t.Errorf("grade as reward: %+v", ch)
	}
	if calls != len(c) {
		t.Errorf("%d questions for %d texts", calls, len(c))
	}
	both := All(v, func(context.Context, *Candidate) (Verdict, error) { return Verdict{Why: "never"}, nil })
	if ch := choose(t, Verified(both), c); ch.Index != -1 || ch.Why != "0 of 6 passed" {
		t.Errorf("two verifiers: %+v", ch)
	}
	if r := judge(t, both, c[1].Text); r.Score != 0.5 || r.Why != "never" {
		t.Errorf("two verifiers: %+v", r)
	}
}
