package regular_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// A pattern of JSON Schema without some words, read byte by byte.
func Example() {
	names, err := regular.Search(`^(?!x-)[a-z-]{2,}$`, regular.ECMA)
	if err != nil {
		fmt.Println(err)
		return
	}
	names = regular.Difference(names, regular.Strings("null", "true", "false"))
	for _, text := range []string{"name", "x-name", "null", "a"} {
		ok, _ := machine.Accepts(names.Machine(), []byte(text))
		fmt.Println(text, ok)
	}
	fmt.Println(names.Shortest(names.Start()), names.CanEnd(names.Start(), 65536, 65536))
	// Output:
	// name true
	// x-name false
	// null false
	// a false
	// aa true
}

func TestWords(t *testing.T) {
	parse := func(p string) *regular.Language {
		l, err := regular.Parse(p, regular.RE2)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	for _, c := range []struct {
		l      *regular.Language
		limit  int
		n      int
		finite bool
		words  []string
	}{
		{regular.Strings("no", "yes", "", "nö"), 10, 4, true, []string{"", "no", "nö", "yes"}},
		{parse("[ab]{2,3}"), 100, 12, true, nil},
		{parse("[ab]{2,3}"), 3, 3, true, []string{"aa", "ab", "ba"}},
		{parse("a*b"), 3, 3, false, []string{"b", "ab", "aab"}},
		{parse("(?s).{0,65536}"), 1 << 30, 1 << 30, true, nil},
		{parse("(aaa|aaaaa){1,1000}"), 2, 2, true, []string{"aaa", "aaaaa"}},
		{regular.None(), 5, 0, true, nil},
		{regular.Intersect(parse("[a-c]+"), regular.Complement(parse("(?s).*[ab].*"))), 3, 3, false, []string{"c", "cc", "ccc"}},
		{regular.Repeat(regular.Runes('a', 'b'), 3, 2), 5, 0, true, nil},
		{regular.Union(), 5, 0, true, nil},
		{regular.Concat(), 5, 1, true, []string{""}},
	} {
		if n, finite := c.l.Count(c.limit); n != c.n || finite != c.finite {
			t.Errorf("%d words, finite %v, want %d, %v", n, finite, c.n, c.finite)
		}
		if words := c.l.Words(c.limit % (1 << 20)); c.words != nil && !slices.Equal(words, c.words) {
			t.Errorf("words %q, want %q", words, c.words)
		}
	}
}

// Languages are made from others while those are being read.
func TestShared(t *testing.T) {
	x, err := regular.Search(`^[a-z]{3,9}(foo|bar)\d+$`, regular.ECMA)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		for range 100 {
			if y := regular.Intersect(x, regular.Strings("abcfoo1", "zzz")); !slices.Equal(y.Words(5), []string{"abcfoo1"}) {
				t.Errorf("words %q", y.Words(5))
			}
		}
	}()
	for range 100 {
		s := x.Start()
		for _, r := range "abcdebar42" {
			s = x.Next(s, r)
		}
		if !x.Accepting(s) {
			t.Error("not accepted")
		}
	}
	<-done
}
