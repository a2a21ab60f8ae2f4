package shape

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// From a sketch the same texts lead on as from its state, with rests as short, but for
// those that may be refused.
func TestSketch(t *testing.T) {
	integer := &Value{Numbers: []*Number{{MultipleOf: big.NewRat(1, 1)}}}
	open := &Value{Objects: []*Object{{
		Properties: []Property{{Name: "alpha", Value: integer}, {Name: "beta", Value: Any(), Required: true}},
		Rest:       Any(),
	}}}
	for _, begun := range []string{
		`{"`, `{"a`, `{"al`, `{"x`, `{"xy`, `{"x":1,"`, `{"x":1,"x`, `{"x":1,"xx`, `{"x":1,"é`, `{"é":1,"` + "\xc3", `{"é":1,"` + "\xc4",
		`{"x":1,"\u00`, `{"beta":{"q":1},"`, `{"beta":{"q":1},"z`, `{"beta":{"`, `{"beta":[{"k":2},{"k`,
	} {
		start, err := open.Machine(Format{})
		if err != nil {
			t.Fatal(err)
		}
		s := start
		for _, b := range []byte(begun) {
			if s = s.Next(b); s == nil {
				t.Fatalf("%q is refused", begun)
			}
		}
		k := s.(machine.Sketched).Sketch()
		if !bytes.Equal(k.Shortest(), s.Shortest()) {
			t.Errorf("%q: shortest %q, of the sketch %q", begun, s.Shortest(), k.Shortest())
		}
		for _, more := range []string{
			`x`, `x"`, `x":`, `x":1`, `x":1}`, `":`, `":1`, `":1}`, `":"`, `":{"`, `":{"a`, `":{}`, `":{}}`, `eta":1}`, `pha"`, `pha":1`, `é":[`, "\xa9", "\xa9\":", "\xa9\":1}",
			`e9":3`, `41`, `41":1}`, `日本`, "\xe6\x97", `\"`, `\n":null}`, `": null`, ` `,
		} {
			a, b := s, k
			for i := 0; i < len(more) && a != nil && b != nil; i++ {
				a, b = a.Next(more[i]), b.Next(more[i])
			}
			switch {
			case (a == nil) != (b == nil):
				t.Errorf("%q and %q: the state goes on %v, the sketch %v", begun, more, a != nil, b != nil)
			case a != nil && !bytes.Equal(a.Shortest(), b.Shortest()):
				t.Errorf("%q and %q: shortest %q, of the sketch %q", begun, more, a.Shortest(), b.Shortest())
			}
		}
	}
}

// Behind a name that nothing else can be, all characters lead to that state itself.
func TestAfterRune(t *testing.T) {
	start, err := Any().Machine(Format{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		begun string
		fixed bool
	}{{`"`, true}, {`"abc`, true}, {`{"x`, true}, {`{"x":1,"y`, true}, {`{"x":1,"x`, false}, {`[`, false}, {`"` + "\xc3", false}} {
		s := start
		for _, b := range []byte(c.begun) {
			s = s.Next(b)
		}
		k := s.(machine.Sketched).Sketch()
		next, except, ok := k.(machine.Uniform).AfterRune()
		if fixed := ok && except.None() && next == k; fixed != c.fixed {
			t.Errorf("%q: uniform %v, itself %v", c.begun, ok, next == k)
		}
	}
}
