package grammar

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/internal/parallel"
)

// words is the language of some words, as a trie of letters.
func words(list ...string) *graph {
	g := &graph{to: map[byte]*graph{}}
	for _, w := range list {
		at := g
		for _, b := range []byte(w) {
			if at.to[b] == nil {
				at.to[b] = &graph{to: map[byte]*graph{}}
			}
			at = at.to[b]
		}
		at.accept = true
	}
	var rest func(g *graph) []byte
	rest = func(g *graph) []byte {
		if g.accept {
			for _, n := range g.to {
				rest(n)
			}
			return []byte{}
		}
		for b := range 256 {
			if n := g.to[byte(b)]; n != nil {
				if r := append([]byte{byte(b)}, rest(n)...); g.rest == nil || len(r) < len(g.rest) {
					g.rest = r
				}
			}
		}
		return g.rest
	}
	rest(g)
	return g
}

// textVocabulary is the bytes and these tokens; the last id is the end.
func textVocabulary(t testing.TB, more ...string) *Vocabulary {
	t.Helper()
	tokens, _, _ := vocabularyParts(0, 0)
	tokens = tokens[:256]
	for _, m := range more {
		tokens = append(tokens, []byte(m))
	}
	tokens = append(tokens, nil)
	v, err := NewVocabulary(tokens, nil, []int32{int32(len(tokens) - 1)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *Vocabulary) join(ids []int32) (s string) {
	for _, id := range ids {
		s += string(v.Text(id)) + "|"
	}
	return s
}

func TestForced(t *testing.T) {
	v := textVocabulary(t, "na", "name", `":`, `": "`, " \"", "name: ", "x", "one", "bo", "book", " is")
	for name, c := range map[string]struct {
		language machine.State
		max      int
		want     string
	}{
		"all of one word":            {words("name"), 0, "name|"},
		"the fewest tokens":          {words("namena"), 0, "name|na|"},
		"no more than wanted":        {words("namena"), 1, ""}, // one token cannot finish it
		"up to the fork":             {words("name is a", "name is b"), 0, "name| is| |"},
		"a longer token may come":    {words("bo", "book"), 0, ""},
		"a longer token cannot come": {words("one: a", "one: b"), 0, "one|:| |"},
		"the border is left":         {words("one bo", "one book"), 0, "one| |"},
		"over several tokens":        {words(`x"a`, `x": "`), 0, "x|"},
		"nothing":                    {words("a", "b"), 0, ""},
		"not past an end":            {words("a", "ab"), 0, "a|"},
	} {
		g := newGrammar(t, v, c.language, Options{})
		if got := v.join(g.Session().Forced(nil, c.max)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Forced text is cut as the tokenizer cuts it, if that gives the same bytes.
func TestForcedByTheTokenizer(t *testing.T) {
	v := textVocabulary(t, "na", "name")
	start := words("name")
	g := newGrammar(t, v, start, Options{Encode: func(text []byte) []int32 {
		return []int32{256, 'm', 'e'}
	}})
	if got := v.join(g.Session().Forced(nil, 0)); got != "na|m|e|" {
		t.Errorf("got %s", got)
	}
	g = newGrammar(t, v, start, Options{Encode: func([]byte) []int32 { return []int32{257, 257} }})
	if got := v.join(g.Session().Forced(nil, 0)); got != "name|" {
		t.Errorf("an encoder that changes the text: got %s", got)
	}
	// Three tokens do not fit, the fewest do: nothing may be forced that breaks the budget.
	g = newGrammar(t, v, start, Options{Encode: func([]byte) []int32 { return []int32{'n', 'a', 'm', 'e'} }})
	if got := v.join(g.Session().Forced(nil, 2)); got != "" {
		t.Errorf("forced %s with 2 tokens left", got)
	}
}

// What is forced is allowed, and running ahead leaves the guarantee.
func TestForcedIsAllowed(t *testing.T) {
	for seed := range uint64(20) {
		start := words("alpha: 1", "alpha: 22", "beta: x", "beta: y")
		g := newGrammar(t, vocabulary(t, seed, 60, "al", "pha", ": ", "1", "beta", "22", "x"), start, Options{})
		for budget := g.Minimum(); budget < g.Minimum()+8; budget++ {
			s, left := g.Session(), budget
			for step := 0; !s.Ended(); step++ {
				mask, err := s.Mask(left)
				if err != nil {
					t.Fatal(err)
				}
				forced := s.Forced(nil, left)
				for _, id := range forced {
					if mask, err = s.Mask(left); err != nil || !has(mask, id) {
						t.Fatalf("forced id %d (%q) is not allowed: %v", id, g.v.Text(id), err)
					}
					if err := s.Accept(id); err != nil {
						t.Fatal(err)
					}
					left--
				}
				if len(forced) > 0 {
					continue
				}
				allowed := idsOf(mask)
				if err := s.Accept(allowed[(int(seed)+step)%len(allowed)]); err != nil {
					t.Fatal(err)
				}
				left--
			}
		}
	}
}

func TestHeal(t *testing.T) {
	v := textVocabulary(t, "http", "://", ":", "hel", "hello", "lo", " wor", "world")
	find := func(s string) int32 { return v.all.own(v.all.find([]byte(s)))[0] }
	for _, c := range []struct {
		prompt []int32
		kept   int
		prefix string
	}{
		{[]int32{find("http"), find(":")}, 1, ":"}, // "://" is a token
		{[]int32{find("http"), find("://")}, 2, ""},
		{[]int32{'x', find("hel")}, 1, "hel"},
		{[]int32{'x', find("hel"), 'l'}, 1, "hell"}, // two tokens are the beginning of one
		{[]int32{find("hel")}, 1, ""},               // something must be kept
		{[]int32{int32(v.Size() - 1), 'q'}, 2, ""},
		{[]int32{'h', int32(v.Size() - 1)}, 2, ""}, // not across special tokens
		{nil, 0, ""},
	} {
		kept, prefix := v.Heal(c.prompt)
		if len(kept) != c.kept || string(prefix) != c.prefix {
			t.Errorf("%s: kept %d ids, prefix %q, want %d and %q", v.join(c.prompt), len(kept), prefix, c.kept, c.prefix)
		}
	}
	// Text behind a healed prompt begins with what was taken back.
	g := newGrammar(t, v, machine.Prefix([]byte("hel"), machine.Anything()), Options{})
	mask, err := g.Session().Mask(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.join(idsOf(mask)); got != "h|hel|hello|" {
		t.Errorf("behind \"hel\" may follow %s", got)
	}
}

func TestAfter(t *testing.T) {
	marker, start := []byte("aab"), words("yes", "no")
	l := machine.After(marker, start)
	for text, want := range map[string]bool{
		"aabyes": true, "aaabno": true, "think aaaabyes": true, "xaabaabyes": false, "aabmaybe": false,
		"yes": false, "aab": false, "": false, "\xff\x00\"\n aabno": true,
	} {
		if ok, _ := machine.Accepts(l, []byte(text)); ok != want {
			t.Errorf("%q: accepted %v, want %v", text, ok, want)
		}
	}
	for at := 0; at <= len("aaxaabye"); at++ { // following Shortest from anywhere
		s := l
		for _, b := range []byte("aaxaabye")[:at] {
			s = s.Next(b)
		}
		for rest := s.Shortest(); len(rest) > 0; {
			if s = s.Next(rest[0]); s == nil || len(s.Shortest()) != len(rest)-1 {
				t.Fatalf("behind %q: %q is no shortest rest", "aaxaabye"[:at], rest)
			}
			rest = s.Shortest()
		}
		if !s.Accepting() {
			t.Errorf("behind %d bytes the shortest rest is not accepted", at)
		}
	}
	for _, marker := range []string{"aab", "é</a>", "日本"} {
		for seed := range uint64(6) {
			l := machine.After([]byte(marker), newList(3, 2, true))
			g := newGrammar(t, vocabulary(t, seed, 150, append(pieces, "a", "aab", "b[", "</", "日本[")...), l, Options{})
			for budget := g.Minimum(); budget < g.Minimum()+20; budget++ {
				_, text := write(t, g, seed, budget, budget%5 == 0)
				i := bytes.Index(text, []byte(marker))
				if ok, _ := machine.Accepts(newList(3, 2, true), text[i+len(marker):]); i < 0 || !ok {
					t.Fatalf("%q", text)
				}
			}
		}
	}
}

func TestSessionBehind(t *testing.T) {
	v := vocabulary(t, 1, 100, pieces...)
	end := v.End()[0]
	g := newGrammar(t, v, newList(3, 2, true), Options{})
	if _, err := g.SessionBehind(end, nil); err == nil {
		t.Error("the end token is taken for a marker")
	}
	for budget := g.Minimum() + 1; budget < 30; budget++ {
		s, err := g.SessionBehind(end+1, nil) // the special token
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		seen := -1
		for step := 0; !s.Ended(); step++ {
			mask, err := s.Mask(budget - step)
			if err != nil {
				t.Fatalf("budget %d, step %d: %v", budget, step, err)
			}
			if seen < 0 && has(mask, end) {
				t.Fatal("the text may end before the marker")
			}
			id := int32('z')
			if allowed := idsOf(mask); !has(mask, id) {
				id = allowed[len(allowed)-1]
			}
			if err := s.Accept(id); err != nil {
				t.Fatal(err)
			}
			if id == end+1 {
				seen = len(text)
			}
			text = append(text, v.Text(id)...)
		}
		if ok, _ := machine.Accepts(newList(3, 2, true), text[seen:]); seen != budget-g.Minimum()-1 || !ok {
			t.Errorf("budget %d: %q, the marker at %d", budget, text, seen)
		}
	}
	s, _ := g.SessionBehind(end+1, nil)
	if _, err := s.Mask(g.Minimum()); err == nil {
		t.Error("no token is left for the marker")
	}
	if err := s.Accept(end); err == nil {
		t.Error("the text ends before the marker")
	}
}

func TestRetokenized(t *testing.T) {
	v := textVocabulary(t, "ab", "abc")
	encode := func(text []byte) (ids []int32) { // the longest first
		for len(text) > 0 {
			n, id := 1, int32(text[0])
			for i, s := range []string{"ab", "abc"} {
				if strings.HasPrefix(string(text), s) {
					n, id = len(s), int32(256+i)
				}
			}
			ids, text = append(ids, id), text[n:]
		}
		return ids
	}
	end := v.End()[0]
	for _, c := range []struct {
		ids  []int32
		same bool
		at   int
	}{
		{[]int32{257, 'x', end}, true, 3},
		{[]int32{'x', 256, 'c', end}, false, 1},
		{[]int32{'x', 'a', 'b'}, false, 1},
		{nil, true, 0},
	} {
		if same, at := v.Retokenized(c.ids, encode); same != c.same || at != c.at {
			t.Errorf("%s: %v at %d, want %v at %d", v.join(c.ids), same, at, c.same, c.at)
		}
	}
}

// A vocabulary without some bytes: what it cannot finish is not allowed, and what it
// cannot spell at all is an error.
func TestLackingVocabulary(t *testing.T) {
	tokens := [][]byte{[]byte("a"), []byte("b"), []byte("ab"), []byte("cd"), nil}
	v, err := NewVocabulary(tokens, nil, []int32{4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(v, words("ax", "aé"), Options{}); err == nil || !strings.Contains(err.Error(), `"x" (byte 0x78) at byte 1`) {
		t.Errorf("error %v", err)
	}
	// "ac" is a shorter rest than "acd", and cannot be spelled; "ax" cannot at all.
	g := newGrammar(t, v, words("ac", "acd", "ab", "bx"), Options{})
	if g.Minimum() != 2 { // "ab" in one token, and the end
		t.Errorf("minimum %d", g.Minimum())
	}
	s := g.Session()
	mask, err := s.Mask(0)
	if err != nil {
		t.Fatal(err)
	}
	if got := v.join(idsOf(mask)); got != "a|ab|" {
		t.Errorf("allowed: %s", got)
	}
	for budget := 2; budget < 6; budget++ {
		for seed := range uint64(20) {
			_, text := write(t, g, seed, budget, false)
			if ok, _ := machine.Accepts(words("ac", "acd", "ab", "bx"), text); !ok {
				t.Fatalf("%q", text)
			}
		}
	}
	g = newGrammar(t, v, words("acd", "ac"), Options{})
	if _, text := write(t, g, 1, g.Minimum(), false); string(text) != "acd" {
		t.Errorf("%q", text)
	}
	// The tokens of a list of strings without the quotation mark alone.
	tokens, special, end := vocabularyParts(5, 200, pieces...)
	for id := range tokens {
		if string(tokens[id]) == `"` || string(tokens[id]) == "]" {
			tokens[id] = []byte("?")
		}
	}
	tokens = append(tokens, []byte(`["`), []byte(`"]`))
	if v, err = NewVocabulary(tokens, append(special, false, false), end); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(10) {
		l := newList(4, 2, seed%2 == 0)
		g := newGrammar(t, v, l, Options{})
		for budget := g.Minimum(); budget < g.Minimum()+12; budget++ {
			if _, text := write(t, g, seed, budget, false); !accepts(l, text) {
				t.Fatalf("%q", text)
			}
		}
	}
}

func accepts(l machine.State, text []byte) bool {
	ok, _ := machine.Accepts(l, text)
	return ok
}

func TestMasksOfABatch(t *testing.T) {
	v := vocabulary(t, 1, 500, pieces...)
	make8 := func() (sessions []*Session, remaining []int) {
		grammars := []*Grammar{
			newGrammar(t, v, newList(5, 3, true), Options{}),
			newGrammar(t, v, newList(-1, 2, false), Options{}),
			newGrammar(t, v, words("[one]", "[two]"), Options{}),
		}
		for i := range 8 {
			s := grammars[i%3].Session()
			if err := s.Accept('['); err != nil {
				t.Fatal(err)
			}
			sessions, remaining = append(sessions, s), append(remaining, i/2*20)
		}
		remaining[3] = 1
		return sessions, remaining
	}
	sessions, remaining := make8()
	want, wantErr := Masks(nil, sessions, remaining)
	if wantErr == nil || !strings.Contains(wantErr.Error(), "sequence 3") {
		t.Errorf("error %v, want that of sequence 3", wantErr)
	}
	pool := parallel.New(4)
	defer pool.Close()
	for range 5 {
		sessions, remaining := make8()
		got, err := Masks(pool, sessions, remaining)
		if err == nil || !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatal("masks depend on the pool")
		}
	}
}

// countdown is the language of n letters a. It counts how often its rest is written.
type countdown struct {
	n      int
	writes *int
}

func (c countdown) Next(b byte) machine.State {
	if b != 'a' || c.n == 0 {
		return nil
	}
	return countdown{c.n - 1, c.writes}
}
func (c countdown) Accepting() bool { return c.n == 0 }
func (c countdown) Shortest() []byte {
	*c.writes++
	return bytes.Repeat([]byte("a"), c.n)
}

// TestForcedLong checks that a long forced text is not written anew for each byte.
func TestForcedLong(t *testing.T) {
	writes := 0
	g, err := New(textVocabulary(t, "aaaaaaaa"), countdown{100_000, &writes}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	writes = 0
	if text, behind := g.forcedText(g.start); len(text) != maxForced || behind.(countdown).n != 100_000-maxForced {
		t.Errorf("%d bytes forced, want %d", len(text), maxForced)
	}
	if writes > 2 {
		t.Errorf("the rest was written %d times", writes)
	}
}
