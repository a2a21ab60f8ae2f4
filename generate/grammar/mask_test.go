package grammar

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/rng"
)

// pieces of tokens that lists of strings are made of, and of others.
var pieces = []string{`"`, `["`, `"]`, `","`, "[", "]", `\`, `\n`, "ab", "x", "é", "\xc3", "\xa9", "日", "\xe6\x97", "\n", " ", "hello"}

func newGrammar(t testing.TB, v *Vocabulary, start machine.State, o Options) *Grammar {
	t.Helper()
	g, err := New(v, start, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// write generates one text by random choices among the allowed ids, checking every
// mask against its definition where exact is set, and returns it.
func write(t *testing.T, g *Grammar, seed uint64, budget int, exact bool) (ids []int32, text []byte) {
	t.Helper()
	s := g.Session()
	for step := 0; !s.Ended(); step++ {
		if step == budget {
			t.Fatalf("seed %d: %q is not complete after its %d tokens", seed, text, budget)
		}
		mask, err := s.Mask(budget - step)
		if err != nil {
			t.Fatalf("seed %d, %d of %d tokens, behind %q: %v", seed, step, budget, text, err)
		}
		if exact {
			want := plainMask(g, s.at, budget-step)
			if s.way != nil {
				set(want, s.way[0])
			}
			if !slices.Equal(mask, want) {
				t.Fatalf("seed %d, %d remain, behind %q: mask and definition\n%s", seed, budget-step, text, describe(g, mask, want))
			}
		}
		allowed := idsOf(mask)
		id := allowed[rng.Intn(seed, 3, uint64(step), len(allowed))]
		if err := s.Accept(id); err != nil {
			t.Fatal(err)
		}
		ids, text = append(ids, id), append(text, g.v.Text(id)...)
	}
	return ids, text
}

// Every budget from the minimum on gives a complete text, whatever is chosen.
func TestAlwaysEnds(t *testing.T) {
	languages := map[string]func(seed uint64) machine.State{
		"graph": func(seed uint64) machine.State {
			if g := randomGraph(seed, 12, "abxyz"); g != nil {
				return g
			}
			return nil
		},
		"bounded strings":   func(seed uint64) machine.State { return newList(int(seed%7), 1+int(seed%4), true) },
		"unbounded strings": func(seed uint64) machine.State { return newList(-1, 1+int(seed%4), true) },
		"strings of at least 2": func(seed uint64) machine.State {
			l := newList(int(seed%2)*6-1, 2, true)
			l.l.least, l.l.odd = 2, int(seed%4)
			return l
		},
		"free strings": func(seed uint64) machine.State { return newList(int(seed%5)-1, 3, false) },
	}
	for name, language := range languages {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(12) {
				start := language(seed)
				if start == nil {
					continue
				}
				p := pieces
				if name == "graph" {
					p = []string{"a", "b", "x", "y", "z", "ab", "xy"}
				}
				g := newGrammar(t, vocabulary(t, seed, 120, p...), start, Options{})
				if err := g.Fits(g.Minimum() - 1); err == nil {
					t.Error("fewer tokens than the minimum fit")
				}
				for budget := g.Minimum(); budget <= g.Minimum()+40; budget++ {
					_, text := write(t, g, seed*1000+uint64(budget), budget, budget%8 == 0)
					if ok, at := machine.Accepts(start, text); !ok {
						t.Fatalf("seed %d, budget %d: %q fails at byte %d", seed, budget, text, at)
					}
				}
			}
		})
	}
}

// Without a bound masks are exact as well, in every form of the language.
func TestMasksAreExact(t *testing.T) {
	for seed := range uint64(8) {
		least, odd := newList(-1, 2, true), newList(4, 2, true)
		least.l.least, odd.l.odd = 3, 2
		for _, start := range []machine.State{newList(3, 3, true), newList(3, 3, false), newList(-1, 2, true), newList(-1, 2, false), least, odd} {
			g := newGrammar(t, vocabulary(t, seed, 300, pieces...), start, Options{})
			s := g.Session()
			for step := 0; step < 30 && !s.Ended(); step++ {
				mask, err := s.Mask(0)
				if err != nil {
					t.Fatal(err)
				}
				if want := plainMask(g, s.at, 0); !slices.Equal(mask, want) {
					t.Fatalf("seed %d, step %d: mask and definition%.2000s", seed, step, describe(g, mask, want))
				}
				allowed := idsOf(mask)
				if err := s.Accept(allowed[rng.Intn(seed, 4, uint64(step), len(allowed))]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A mask is the same from a cold cache, a warm one and one that forgets.
func TestCacheChangesNothing(t *testing.T) {
	v := vocabulary(t, 1, 3000, pieces...)
	cold := newGrammar(t, v, newList(20, 3, true), Options{CacheBytes: 1})
	warm := newGrammar(t, v, newList(20, 3, true), Options{})
	for seed := range uint64(6) {
		for _, budget := range []int{12, 60} {
			a, _ := write(t, cold, seed, budget, false)
			b, _ := write(t, warm, seed, budget, false)
			if !slices.Equal(a, b) {
				t.Fatalf("seed %d: %v and %v", seed, a, b)
			}
		}
	}
	if n := len(cold.sets.young) + len(cold.sets.old); n > 2 {
		t.Errorf("a cache of 1 byte keeps %d masks", n)
	}
	if len(warm.sets.young) < 10 {
		t.Errorf("the cache keeps %d masks", len(warm.sets.young))
	}
}

func TestForkIsIndependent(t *testing.T) {
	g := newGrammar(t, vocabulary(t, 1, 300, pieces...), newList(4, 3, true), Options{})
	s := g.Session()
	for _, id := range []int32{'[', '"'} {
		if err := s.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	mask, err := s.Mask(4)
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(mask)
	f := s.Fork()
	for _, id := range []int32{'a', '"', ']'} {
		if _, err := f.Mask(9); err != nil {
			t.Fatal(err)
		}
		if err := f.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	if !f.Complete() || s.Complete() || !slices.Equal(mask, before) {
		t.Error("a fork moves what it came from")
	}
}

func TestSessionErrors(t *testing.T) {
	v := vocabulary(t, 1, 50, pieces...)
	g := newGrammar(t, v, newList(4, 3, true), Options{})
	s := g.Session()
	end := v.End()[0]
	for _, id := range []int32{-1, int32(v.Size()), end, end + 1, 'x'} {
		if err := s.Accept(id); err == nil {
			t.Errorf("id %d is accepted at the beginning", id)
		}
	}
	var short *BudgetError
	if _, err := s.Mask(2); !errors.As(err, &short) || short.Need < 3 && short.Need != g.Minimum() {
		t.Errorf("error %v for 2 tokens", err)
	}
	if _, err := s.Mask(-1); err == nil {
		t.Error("a negative number of tokens is accepted")
	}
	for _, id := range []int32{'[', ']', end} {
		if err := s.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Mask(5); !errors.Is(err, ErrEnded) {
		t.Errorf("error %v behind the end", err)
	}
	if err := s.Accept('['); !errors.Is(err, ErrEnded) {
		t.Errorf("error %v behind the end", err)
	}
}

func TestVocabularyErrors(t *testing.T) {
	good := [][]byte{[]byte("a"), nil}
	for name, err := range map[string]error{
		"no end":      second(NewVocabulary(good, nil, nil)),
		"end outside": second(NewVocabulary(good, nil, []int32{2})),
		"special":     second(NewVocabulary(good, []bool{true}, []int32{1})),
		"no text":     second(NewVocabulary([][]byte{nil, nil}, nil, []int32{1})),
		"long":        second(NewVocabulary([][]byte{make([]byte, 1<<17), nil}, nil, []int32{1})),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewVocabulary(good, nil, []int32{1}); err != nil {
		t.Error(err)
	}
}

func second(_ *Vocabulary, err error) error { return err }

// Tokens longer than what masks take in bulk are walked.
func TestLongTokens(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'a'
	}
	tokens, special, end := vocabularyParts(3, 200, pieces...)
	for i, n := range []int{253, 254, 255, 256, 300} {
		tokens[300+i] = long[:n]
	}
	tokens = append(tokens, append(slices.Clone(long), '"'))
	v, err := NewVocabulary(tokens, append(special, false), end)
	if err != nil {
		t.Fatal(err)
	}
	for _, start := range []machine.State{newList(-1, 2, true), newList(-1, 2, false), newList(255, 2, true), newList(255, 2, false), newList(299, 2, true)} {
		g := newGrammar(t, v, start, Options{})
		s := g.Session()
		for _, id := range []int32{'[', '"'} {
			if err := s.Accept(id); err != nil {
				t.Fatal(err)
			}
		}
		for _, remaining := range []int{0, 4, 400} {
			mask, err := s.Mask(remaining)
			if err != nil {
				t.Fatal(err)
			}
			want := plainMask(g, s.at, remaining)
			if s.way != nil {
				set(want, s.way[0])
			}
			if !slices.Equal(mask, want) {
				t.Errorf("%d remain: masks differ\n%.2000s", remaining, describe(g, mask, want))
			}
		}
	}
}

func idsOf(words []uint64) []int32 { return listBits(words, 0, len(words)*64) }

func describe(g *Grammar, masks ...[]uint64) (s string) {
	for _, m := range masks {
		for _, id := range idsOf(m) {
			s += fmt.Sprintf("%d=%q ", id, g.v.Text(id))
		}
		s += "\n"
	}
	return s
}
