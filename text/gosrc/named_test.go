package gosrc

import "testing"

func TestNamed(t *testing.T) {
	p := FunctionPrompt{Completion: "// Index returns the place of sep in s, -1 for none.\nfunc Index(s, sep string, n int) (at int) {\n"}
	for function, want := range map[string]float64{
		"func Index(s, sep string, n int) (at int) { return len(s) + len(sep) }": 1,
		"func Index(s, sep string, n int) (at int) { return len(s) }":            0.5,
		"func Index(s, sep string, n int) (at int) { return n }":                 0, // n is not named by the comment
		"func Index(s, sep string, n int) (at int) {":                            0,
		"func Now() int { return 1 }":                                            1,
		"func F(a, _ int) int { return a }":                                      1,
		"func (r *R) M(a int) { r.n++ }":                                         0.5,
	} {
		if got := Named(p, function); got != want {
			t.Errorf("%s: %g, want %g", function, got, want)
		}
	}
}

func TestReach(t *testing.T) {
	for function, want := range map[string]float64{
		"func F() int { return 1 }": 1,
		"func F() {\n\tx := )":      17. / 18,
		"func F() {\n\tx":           1, // it only ends too early
		"x":                         0,
		"":                          0,
	} {
		if got := Reach(function); got != want {
			t.Errorf("%q: %g, want %g", function, got, want)
		}
	}
}
