package search

import (
	"strings"
	"testing"
	"time"
)

func TestNumber(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"He has 3 * 14 = 42 left.\n#### 42", "42"},
		{"#### 1,234.0", "1234"},
		{"So it costs $1,234.00 in all.", "1234"},
		{"A: -5", "-5"}, {"A: −5", "-5"}, {"a: $-5", "-5"}, {"A: -$5", "-5"},
		{"The answer is 3/4.", "3/4"}, {"the answer is 0.75", "3/4"}, {"The final answer is: .75 litres", "3/4"},
		{"Answer: 1 1/2 cups", "3/2"}, {"= \\boxed{\\frac{3}{4}}", "3/4"}, {"\\boxed{12}, as 3 < 5", "12"},
		{"10-4", "4"}, {"that is 10 - 4 = 6", "6"}, {"x = -4", "-4"}, {"(-4)", "-4"},
		{"50%", "50"}, {"2e3", "2000"}, {"1.5e-1", "3/20"},
		{"in 2021 it was 12,5", "5"}, // no thousands
		{"1,234,567", "1234567"}, {"1,2345", "2345"},
		{"The answer is 7. I checked 8 others.", "7"},
		{"The answer is 7.\nNo wait. The answer is 9.", "9"},
		{"The answer is unclear, 4 or so", "4"},
		{"no number", ""}, {"", ""}, {"1/0", ""}, {"9e99999", ""}, {strings.Repeat("9", 1000), ""},
		{"£3.50", "7/2"}, {"US$20", "20"}, {"3 € and 5 €", "5"},
	} {
		got, ok := Number(c.text)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestMultipleChoice(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"B", "B"}, {"(c)", "C"}, {"B. Paris", "B"}, {"D) none", "D"}, {"**A**", "A"},
		{"The answer is (b).", "B"}, {"The correct answer is option D", "D"}, {"\\boxed{E}", "E"},
		{"(A) is wrong, as is (B). So it is (C)", "C"}, {"Thinking.\nB\n", "B"},
		{"I think so", ""}, {"A dog barks", ""}, {"", ""},
		{"Answer: it must be (D) by symmetry", "D"},
	} {
		got, ok := MultipleChoice(c.text)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestJSON(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{` {"b": 1.0, "a": [1e0, 10e-1, "x"]} `, `{"a":[1,1,"x"],"b":1}`},
		{"Here:\n```json\n{\"a\": 2.50}\n```\nDone {x}", `{"a":2.5}`},
		{"first {} and then {\"k\": [1,2]} }", `{"k":[1,2]}`},
		{"3", "3"}, {`"a<b"`, `"a<b"`}, {"-0.0", "0"}, {"true", "true"}, {"null", "null"},
		{`{"é":"\u00e9"}`, `{"é":"é"}`}, {"0.1", "0.1"}, {"1E2", "100"},
		{"1e999999999", "1e999999999"}, // as it stands
		{"no value", ""}, {"{", ""}, {"", ""}, {`{"a":}`, ""},
	} {
		got, ok := JSON(c.text)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

func TestGoCode(t *testing.T) {
	a, ok := GoCode("Sure:\n```go\nfunc f( x int)int{return x+1}\n```\n")
	b, ok2 := GoCode("func f(x int) int { return x + 1 }")
	if !ok || !ok2 || a != b {
		t.Errorf("%q and %q", a, b)
	}
	if _, ok := GoCode("func f( {"); ok {
		t.Error("what does not parse is code")
	}
}

func TestParseExtractor(t *testing.T) {
	x, err := ParseExtractor(`regex:total (\d+)`)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := x("total 3, total 4"); got != "4" || !ok {
		t.Errorf("got %q", got)
	}
	for _, bad := range []string{"", "numbers", "regex:("} {
		if _, err := ParseExtractor(bad); err == nil {
			t.Errorf("%q is an extractor", bad)
		}
	}
	if x, _ = ParseExtractor("text"); true {
		if got, _ := x(" a\n b "); got != "a b" {
			t.Errorf("got %q", got)
		}
	}
}

// TestExtractionTakesBoundedTime: texts made to be slow are read in well under a
// second.
func TestExtractionTakesBoundedTime(t *testing.T) {
	for _, name := range []string{"number", "choice", "json", "code", "text"} {
		x, err := ParseExtractor(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			strings.Repeat("[", 1<<18), strings.Repeat(`{"a":`, 1<<16), strings.Repeat("1,", 1<<17), strings.Repeat("- ", 1<<17), strings.Repeat("x", 4<<20),
			strings.Repeat("```\n", 1<<16), strings.Repeat("the answer is ", 1<<14), strings.Repeat("((", 1<<17), strings.Repeat(`\boxed{`, 1<<15),
		} {
			start := time.Now()
			x(text)
			took := time.Since(start)
			t.Logf("%s of %.10q...: %v", name, text, took)
			if took > time.Minute {
				t.Error("too slow")
			}
		}
	}
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{"#### 1,234.0", "(b)", `{"a":[1]}`, "```go\nx\n```", "\\boxed{1/2}", "3 - 4 = <<3-4=-1>>-1", "1e400", "−$5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, x := range []Extractor{Number, MultipleChoice, JSON, GoCode, Whole} {
			if answer, ok := x(text); ok && answer == "" {
				t.Errorf("an empty answer in %q", text)
			}
		}
		// What is canonical stays as it is.
		if a, ok := JSON(text); ok {
			if b, ok := JSON(a); !ok || a != b {
				t.Errorf("%q becomes %q", a, b)
			}
		}
		if a, ok := Number(text); ok {
			if b, ok := Number(a); !ok || a != b {
				t.Errorf("%q becomes %q", a, b)
			}
		}
		Evaluate(text)
		Arithmetic(t.Context(), &Candidate{Text: text})
	})
}
