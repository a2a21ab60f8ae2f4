package ngram

import (
	"compress/gzip"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
)

// sequences draws text-like symbols: each depends on the two before it.
func sequences(seed uint64, count, length, vocab int) [][]int32 {
	var out [][]int32
	for s := range count {
		var seq []int32
		a, b := 0, 0
		for i := range length + s {
			skew := rng.Float64(seed, uint64(s), uint64(i))
			w := (3*a + 5*b + int(float64(vocab)*skew*skew*skew)) % vocab
			seq = append(seq, int32(w))
			a, b = b, w
		}
		out = append(out, seq)
	}
	return append(out, nil, []int32{0}) // an empty one and a very short one
}

// reference is the package comment's equations on maps, by recursion.
type reference struct {
	vocab, pad int32
	raw        map[string]map[int32]int // context -> symbol -> occurrences
	before     map[string]map[int32]int // n-gram -> symbols before it
}

// name is an n-gram as a map key; surrogates are no runes, so ids are moved
// past them.
func name(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteRune(id + 0xE000)
	}
	return b.String()
}

func newReference(top, vocab int, seqs [][]int32) *reference {
	r := &reference{int32(vocab), int32(vocab), map[string]map[int32]int{}, map[string]map[int32]int{}}
	put := func(m map[string]map[int32]int, k string, w int32) {
		if m[k] == nil {
			m[k] = map[int32]int{}
		}
		m[k][w]++
	}
	for _, seq := range seqs {
		padded := append(slices.Repeat([]int32{r.pad}, top), seq...)
		for i := top; i < len(padded); i++ {
			for n := 1; n <= top; n++ {
				put(r.raw, name(padded[i-n+1:i]), padded[i])
				put(r.before, name(padded[i-n+1:i+1]), padded[i-n])
			}
		}
	}
	return r
}

// following is c(h.) by symbol: raw or continuation counts.
func (r *reference) following(h []int32, isTop bool) map[int32]int {
	if isTop {
		return r.raw[name(h)]
	}
	out := map[int32]int{}
	for w := range r.raw[name(h)] {
		out[w] = len(r.before[name(append(slices.Clone(h), w))])
	}
	return out
}

func (r *reference) discount(n int, isTop bool) [4]float64 {
	var t [5]float64
	for h := range r.raw {
		if len([]rune(h)) != n-1 {
			continue
		}
		ids := []int32(nil)
		for _, x := range h {
			ids = append(ids, x-0xE000)
		}
		for _, c := range r.following(ids, isTop) {
			if c < 5 {
				t[c]++
			}
		}
	}
	y := t[1] / (t[1] + 2*t[2])
	d := [4]float64{0, 1 - 2*y*t[2]/t[1], 2 - 3*y*t[3]/t[2], 3 - 4*y*t[4]/t[3]}
	ok := t[1]*t[2]*t[3]*t[4] > 0
	for i := 1; i <= 3; i++ {
		ok = ok && d[i] > 0 && d[i] < float64(i)
	}
	if !ok {
		return [4]float64{0, 0.5, 1, 1.5}
	}
	return d
}

func (r *reference) prob(h []int32, w int32, ds map[[2]int][4]float64, isTop bool) float64 {
	n := len(h) + 1
	lower := 1 / float64(r.vocab)
	if n > 1 {
		lower = r.prob(h[1:], w, ds, false)
	}
	follow := r.following(h, isTop)
	if len(follow) == 0 {
		return lower
	}
	kind := 0
	if isTop {
		kind = 1
	}
	d, ok := ds[[2]int{n, kind}]
	if !ok {
		d = r.discount(n, isTop)
		ds[[2]int{n, kind}] = d
	}
	total, gamma := 0.0, 0.0
	for _, c := range follow {
		total += float64(c)
		gamma += d[min(c, 3)]
	}
	c := follow[w]
	return (max(float64(c)-d[min(c, 3)], 0) + gamma*lower) / total
}

func TestAgainstReference(t *testing.T) {
	for _, c := range []struct {
		name              string
		vocab, top, count int
	}{
		{"bytes", 256, 5, 12},
		{"few symbols", 3, 5, 4},
		{"one symbol", 1, 3, 2},
		{"wide symbols", 500_000, 5, 12}, // 19 bits a symbol: all 96 bits of a key
		{"order 1", 40, 1, 3},
		{"order 10", 200, 10, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			train, test := sequences(1, c.count, 150, c.vocab), sequences(2, 2, 60, c.vocab)
			m, err := Train(c.top, slices.Values(train), c.vocab, Options{})
			if err != nil {
				t.Fatal(err)
			}
			ref := newReference(c.top, c.vocab, train)
			ds := map[[2]int][4]float64{}
			for order := 1; order <= c.top; order++ {
				for _, seq := range test {
					want := 0.0
					padded := append(slices.Repeat([]int32{ref.pad}, c.top), seq...)
					for i, w := range seq {
						j := i + c.top
						p := math.Log(ref.prob(padded[j-order+1:j], w, ds, true))
						want += p
						if got := m.At(order).LogProb(seq[:i], w); math.Abs(got-p) > 1e-12 {
							t.Fatalf("order %d, LogProb(%v, %d) = %.17g, want %.17g", order, seq[:i], w, got, p)
						}
					}
					got, n := m.At(order).Score(seq)
					if math.Abs(got-want) > 1e-12*float64(1+len(seq)) || n != len(seq) {
						t.Errorf("order %d: Score = %.17g, %d; want %.17g, %d", order, got, n, want, len(seq))
					}
				}
			}
			all, n := m.ScoreAll(nil, slices.Values(test))
			for order := 1; order <= c.top; order++ {
				want, wantN := 0.0, int64(0)
				for _, seq := range test {
					p, k := m.At(order).Score(seq)
					want, wantN = want+p, wantN+int64(k)
				}
				if math.Abs(all[order-1]-want) > 1e-9 || n != wantN {
					t.Errorf("ScoreAll order %d = %g, %d; want %g, %d", order, all[order-1], n, want, wantN)
				}
			}
		})
	}
}

func TestProbabilitiesSumToOne(t *testing.T) {
	const vocab = 60
	train := sequences(3, 20, 300, vocab)
	m, err := Train(5, slices.Values(train), vocab, Options{})
	if err != nil {
		t.Fatal(err)
	}
	contexts := [][]int32{nil, {1}, {59, 58, 57, 56}, train[0][10:14], train[1][3:5], train[2][:1], train[4][len(train[4])-4:]}
	for order := 1; order <= 5; order++ {
		for _, h := range contexts {
			sum := 0.0
			for w := range int32(vocab) {
				sum += math.Exp(m.At(order).LogProb(h, w))
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("order %d after %v: probabilities sum to %.12f", order, h, sum)
			}
		}
	}
}

func TestSameAtAnyThreadCount(t *testing.T) {
	train, test := sequences(5, 140, 2000, 256), sequences(6, 3, 500, 256)
	var want []float64
	for _, threads := range []int{1, 2, 3} {
		pool := parallel.New(threads)
		defer pool.Close()
		m, err := Train(2, slices.Values(train), 256, Options{Pool: pool})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := m.ScoreAll(pool, slices.Values(test))
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: %v, want %v", threads, got, want)
		}
	}
}

func TestSample(t *testing.T) {
	train := sequences(7, 400, 100, 256)
	var total int64
	for _, s := range train {
		total += int64(len(s))
	}
	limit := total / 4
	a, err := Train(3, slices.Values(train), 256, Options{MaxSymbols: limit, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Train(3, slices.Values(train), 256, Options{MaxSymbols: limit, Seed: 1, TotalSymbols: total})
	if err != nil {
		t.Fatal(err)
	}
	other, err := Train(3, slices.Values(train), 256, Options{MaxSymbols: limit, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	ca := a.Counted()
	if ca.Symbols > limit || ca.Symbols < limit*3/4 || ca.Offered != total || ca.Rate != 0.25 && math.Abs(ca.Rate-0.25) > 1e-4 {
		t.Errorf("sample of at most %d of %d symbols: %+v", limit, total, ca)
	}
	if cb := b.Counted(); cb.Symbols != ca.Symbols || cb.Sequences != ca.Sequences {
		t.Errorf("total given: %+v, total counted: %+v", cb, ca)
	}
	if co := other.Counted(); co.Symbols == ca.Symbols && slices.Equal(co.NGrams, ca.NGrams) {
		t.Errorf("seeds 1 and 2 draw the same sample: %+v", co)
	}
	whole, err := Train(3, slices.Values(train), 256, Options{MaxSymbols: total})
	if err != nil {
		t.Fatal(err)
	}
	if c := whole.Counted(); c.Symbols != total || c.Rate != 1 {
		t.Errorf("a bound that binds nothing: %+v, want all %d", c, total)
	}
}

func TestTrainErrors(t *testing.T) {
	one := func(ids ...int32) [][]int32 { return [][]int32{ids} }
	for _, c := range []struct {
		name         string
		order, vocab int
		seqs         [][]int32
		o            Options
		want         string
	}{
		{"order 0", 0, 256, one(1), Options{}, "order 0"},
		{"order too high", 6, 500_000, one(1), Options{}, "want 1 to 5"},
		{"no vocabulary", 2, 0, one(1), Options{}, "vocabulary of 0"},
		{"symbol too large", 2, 256, one(1, 256), Options{}, "symbol 256 at position 1 of sequence 0"},
		{"negative symbol", 2, 256, one(-1), Options{}, "symbol -1"},
		{"negative bound", 2, 256, one(1), Options{MaxSymbols: -1}, "max symbols -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Train(c.order, slices.Values(c.seqs), c.vocab, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestEmptyTrainingIsUniform(t *testing.T) {
	m, err := Train(3, slices.Values([][]int32{}), 4, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := m.LogProb([]int32{1, 2, 3}, 0); math.Abs(got-math.Log(0.25)) > 1e-15 {
		t.Errorf("LogProb = %g, want log 1/4", got)
	}
}

// An add-alpha 5-gram counted on the same split has 1.7565 nats a character.
func TestTinyShakespeare(t *testing.T) {
	f, err := os.Open(golden.Data(t, "corpora", "tinyshakespeare.txt.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	cut := len(text) * 9 / 10
	train := Bytes(slices.Values([]string{string(text[:cut])}))
	test := Bytes(slices.Values([]string{string(text[cut:])}))
	m, err := Train(5, train, 256, Options{})
	if err != nil {
		t.Fatal(err)
	}
	logprob, n := m.ScoreAll(nil, test)
	// Order 1 is the empirical distribution but for the discounts; a separate
	// count with add-one gives 3.3473. Orders 3 to 5 must beat add-alpha.
	for i, c := range [][2]float64{{3.3472, 3.3476}, {2, 2.49}, {2, 2.0523}, {1, 1.7773}, {1, 1.7565}} {
		got := -logprob[i] / float64(n)
		t.Logf("order %d: %.4f nats/char", i+1, got)
		if got < c[0] || got >= c[1] {
			t.Errorf("order %d: %.4f nats/char, want %g to %g", i+1, got, c[0], c[1])
		}
	}
}

func BenchmarkTrainBytes(b *testing.B) {
	train := sequences(1, 100, 20_000, 256)
	var n int64
	for _, s := range train {
		n += int64(len(s))
	}
	b.SetBytes(n)
	for b.Loop() {
		if _, err := Train(5, slices.Values(train), 256, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
