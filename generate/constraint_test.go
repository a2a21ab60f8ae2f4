package generate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor/cpu"
)

const (
	endID = 255 // ends the texts of automata
	vocab = 256
)

// automaton is a language over ids: what each state allows and where it leads.
type automaton struct {
	next []map[int32]int
	last []bool // states in which the text may end
	rest []int  // fewest tokens to the end, the end token not counted
}

// randomAutomaton mixes states with one way on, with few and with many.
func randomAutomaton(seed uint64, states int) *automaton {
	a := &automaton{next: make([]map[int32]int, states), last: make([]bool, states), rest: make([]int, states)}
	draw := uint64(0)
	n := func(n int) int { draw++; return rng.Intn(seed, 0, draw, n) }
	for s := range states {
		a.next[s] = map[int32]int{int32(n(vocab - 1)): (s + 1) % states} // all states are on one circle
		for range []int{0, 0, 0, 2, 100}[n(5)] {
			a.next[s][int32(n(vocab-1))] = n(states)
		}
		a.last[s] = s == states-1 || n(6) == 0
	}
	for range states {
		for s := range states {
			a.rest[s] = states
			if a.last[s] {
				a.rest[s] = 0
			}
			for _, to := range a.next[s] {
				a.rest[s] = min(a.rest[s], 1+a.rest[to])
			}
		}
	}
	for range states { // from above now
		for s := range states {
			for _, to := range a.next[s] {
				a.rest[s] = min(a.rest[s], 1+a.rest[to])
			}
		}
	}
	return a
}

// accepts says whether ids are a text of the language.
func (a *automaton) accepts(ids []int32) bool {
	s, ok := 0, true
	for _, id := range ids {
		if s, ok = a.next[s][id]; !ok {
			return false
		}
	}
	return a.last[s]
}

// reader is an automaton at work.
type reader struct {
	a      *automaton
	state  int
	forces bool // reports forced ids
	mask   []uint64
}

func (r *reader) Mask(remaining int) ([]uint64, error) {
	if r.mask == nil {
		r.mask = make([]uint64, vocab/64)
	}
	clear(r.mask)
	if remaining > 0 && r.a.rest[r.state] >= remaining {
		return nil, fmt.Errorf("needs %d tokens, %d remain", r.a.rest[r.state]+1, remaining)
	}
	for id, to := range r.a.next[r.state] {
		if remaining == 0 || r.a.rest[to]+2 <= remaining {
			r.mask[id/64] |= 1 << (id % 64)
		}
	}
	if r.a.last[r.state] {
		r.mask[endID/64] |= 1 << (endID % 64)
	}
	return r.mask, nil
}

func (r *reader) Accept(id int32) error {
	to, ok := r.a.next[r.state][id]
	if !ok {
		return fmt.Errorf("id %d is not allowed", id)
	}
	r.state = to
	return nil
}

func (r *reader) Forced(dst []int32, max int) []int32 {
	for s := r.state; r.forces && len(r.a.next[s]) == 1 && !r.a.last[s]; {
		for id, to := range r.a.next[s] {
			if len(dst)+1+r.a.rest[to]+1 > max {
				return dst
			}
			dst, s = append(dst, id), to
		}
	}
	return dst
}

func (r *reader) Fork() generate.Constraint {
	return &reader{a: r.a, state: r.state, forces: r.forces}
}

// constrained are requests with an automaton each.
func constrained(n int, forces bool) []generate.Request {
	rs := repetitive()
	for i := range n {
		r := &rs[i%len(rs)]
		if i >= len(rs) {
			rs = append(rs, *r)
			r = &rs[i]
		}
		r.Stream, r.StopIDs = uint64(i), []int32{endID}
		r.MaxTokens = 25 + 9*i%40
		r.Constraint = &reader{a: randomAutomaton(uint64(i/2), 5+3*(i%7)), forces: forces}
	}
	return rs[:n]
}

// TestConstraintsHold generates under random automata: every text is one of the
// language, at any limit, and forced ids change no bit.
func TestConstraintsHold(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	e := engine(t, b, m, generate.Config{})
	rs := constrained(24, false)
	plain, err := e.GenerateAll(context.Background(), rs, nil)
	if err != nil {
		t.Fatal(err)
	}
	forced := constrained(24, true)
	pushed := 0
	var pieces [24]int
	got, err := e.GenerateAll(context.Background(), forced, func(i int, p generate.Piece) bool {
		if p.Forced {
			pieces[i]++
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range got {
		if r.Finish != generate.FinishStop && r.Finish != generate.FinishComplete {
			t.Errorf("request %d ends by %s", i, r.Finish)
		}
		if !rs[i].Constraint.(*reader).a.accepts(r.IDs) {
			t.Errorf("request %d: %v is not of the language", i, r.IDs)
		}
		same(t, fmt.Sprint("forced, request ", i), r, plain[i])
		if pushed += r.Forced; r.Forced != pieces[i] {
			t.Errorf("request %d: %d tokens forced, %d pieces say so", i, r.Forced, pieces[i])
		}
		if plain[i].Forced != 0 {
			t.Errorf("request %d: %d tokens forced by a constraint that forces none", i, plain[i].Forced)
		}
	}
	if pushed < 50 {
		t.Errorf("only %d tokens were forced: the test says little", pushed)
	}
}

func TestConstraintsHoldAtAnyLimit(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	for seed := range uint64(6) {
		a := randomAutomaton(seed, 12)
		least := a.rest[0] + 1
		for limit := max(1, least-2); limit < least+12; limit++ {
			o := generate.Options{MaxTokens: limit, StopIDs: []int32{endID}, Stream: seed, Constraint: &reader{a: a, forces: limit%2 == 0},
				Sample: sample.Options{Temperature: 1.5, Seed: 1}}
			r, err := e.Generate(context.Background(), ids(9), o, nil)
			if limit < least {
				if r != nil || err == nil || !strings.Contains(err.Error(), fmt.Sprintf("constraint: needs %d tokens, %d remain", least, limit)) {
					t.Errorf("seed %d, limit %d below %d: %v, %v", seed, limit, least, r, err)
				}
				continue
			}
			if err != nil || !a.accepts(r.IDs) || len(r.IDs) >= limit {
				t.Errorf("seed %d, limit %d of at least %d: %v, %v", seed, limit, least, r, err)
			}
		}
	}
}

// TestConstrainedSameBits is TestSameBits under constraints, with and without
// speculation.
func TestConstrainedSameBits(t *testing.T) {
	var want []*generate.Result
	rs := constrained(20, true)
	for _, threads := range []int{1, 2} {
		b := backend(t, cpu.Options{Threads: threads})
		m := small(t, b, "llama")
		if want == nil {
			want = alone(t, b, m, generate.Config{}, rs)
		}
		for name, c := range map[string]generate.Config{
			"plain":      {},
			"chunk 1":    {Chunk: 1},
			"chunk 9":    {Chunk: 9, PrefixTokens: -1, Sequences: 5},
			"ngram":      {Speculation: generate.Speculation{NGram: true}},
			"near draft": {Speculation: generate.Speculation{Draft: noisy(t, b, m, 0.01), Tokens: 6}},
			"far draft":  {Chunk: 5, Speculation: generate.Speculation{Draft: noisy(t, b, m, 1)}},
		} {
			e := engine(t, b, m, c)
			for round := range 2 {
				got, err := e.GenerateAll(context.Background(), rs, nil)
				if err != nil {
					t.Fatal(err)
				}
				var x generate.Speculated
				for i := range got {
					same(t, fmt.Sprintf("%s, %d threads, round %d, request %d", name, threads, round, i), got[i], want[i])
					if got[i].Forced != want[i].Forced {
						t.Errorf("%s, request %d: %d forced, alone %d", name, i, got[i].Forced, want[i].Forced)
					}
					x.Add(&got[i].Speculated)
				}
				if name == "near draft" && x.Acceptance() < 0.3 {
					t.Errorf("%d of %d guesses of a near draft model are right", x.Accepted, x.Drafted)
				}
			}
		}
	}
}

func TestConstrainedRejection(t *testing.T) {
	b := backend(t, cpu.Options{})
	m := small(t, b, "llama")
	rs := constrained(20, true)
	for name, s := range map[string]generate.Speculation{
		"draft": {Draft: noisy(t, b, m, 0.05), Rejection: true},
		"ngram": {NGram: true, Rejection: true},
	} {
		got, err := engine(t, b, m, generate.Config{Speculation: s}).GenerateAll(context.Background(), rs, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range got {
			if !rs[i].Constraint.(*reader).a.accepts(r.IDs) {
				t.Errorf("%s, request %d: %v is not of the language", name, i, r.IDs)
			}
		}
	}
}

// faulty is a constraint that allows even ids and breaks in some way.
type faulty struct {
	n     *int // ids accepted by all forks
	words int
	after int
	force []int32
	none  bool // a mask without ids after some
}

func (f faulty) Mask(int) ([]uint64, error) {
	mask := make([]uint64, f.words)
	for i := range mask {
		mask[i] = 0x5555555555555555
	}
	if *f.n >= f.after {
		if f.none {
			clear(mask)
			return mask, nil
		}
		return nil, errors.New("broken")
	}
	return mask, nil
}
func (f faulty) Accept(int32) error                { *f.n++; return nil }
func (f faulty) Forced(dst []int32, _ int) []int32 { return append(dst, f.force...) }
func (f faulty) Fork() generate.Constraint         { return f }

func TestConstraintErrors(t *testing.T) {
	b := backend(t, cpu.Options{})
	e := engine(t, b, small(t, b, "llama"), generate.Config{})
	for _, c := range []struct {
		name, want string
		f          faulty
		tokens     int // written before the error; -1: no result
	}{
		{"mask of another vocabulary", "a mask of 2 words for a vocabulary of 256", faulty{words: 2, after: 9}, -1},
		{"unknown forced id", "forced id 256 is outside the vocabulary of 256", faulty{words: 4, after: 9, force: []int32{256}}, -1},
		{"too many forced ids", "21 forced tokens where 20 remain", faulty{words: 4, after: 9, force: make([]int32, 21)}, -1},
		{"nothing fits", "constraint: broken", faulty{words: 4}, -1},
		{"breaks later", "constraint after 5 tokens: broken", faulty{words: 4, after: 5}, 5},
		{"ends later", "", faulty{words: 4, after: 5, none: true}, 5},
		{"ends at once", "", faulty{words: 4, none: true}, 0},
		{"never ends", "", faulty{words: 4, after: 99}, 20},
	} {
		c.f.n = new(int)
		r, err := e.Generate(context.Background(), ids(5), generate.Options{MaxTokens: 20, Sample: sample.Options{Temperature: 2}, Constraint: c.f}, nil)
		switch {
		case c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case (r == nil) != (c.tokens < 0) || r != nil && len(r.IDs) != c.tokens:
			t.Errorf("%s: %v, want %d tokens", c.name, r, c.tokens)
		case r != nil && slices.ContainsFunc(r.IDs, func(id int32) bool { return id%2 != 0 }):
			t.Errorf("%s: an odd id in %v", c.name, r.IDs)
		case c.f.none && r.Finish != generate.FinishComplete:
			t.Errorf("%s: ends by %s", c.name, r.Finish)
		}
	}
}
