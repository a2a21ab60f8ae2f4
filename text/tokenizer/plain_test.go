package tokenizer

import (
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
)

// TestPieceRules compares BPE by scores with its definition: of all neighbours
// that are a piece together, the best one merges.
func TestPieceRules(t *testing.T) {
	alphabet := []string{"a", "b", "c", "é", metaspace}
	for round := range uint64(300) {
		pieces := []testPiece{{"<unk>", 0, pieceUnknown}}
		seen := map[string]bool{"<unk>": true}
		for i := range uint64(25) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(1, round, i)%4 {
				b.WriteString(alphabet[rng.Intn(2, round, 10*i+k, len(alphabet))])
			}
			if piece := b.String(); !seen[piece] {
				seen[piece] = true
				pieces = append(pieces, testPiece{piece, float32(rng.Intn(3, round, i, 12)), pieceNormal})
			}
		}
		tok := mustPieces(t, pieces, isBPE, keepsAll+noPrefix)
		for i := range uint64(10) {
			var b strings.Builder
			for k := range rng.Uint64(4, round, i) % 12 {
				b.WriteString(append(slices.Clone(alphabet[:4]), " ", "z")[rng.Intn(5, round, 100*i+k, 6)])
			}
			s := b.String()
			if got, want := tok.Encode(s), plainPieceIDs(pieces, s); !slices.Equal(got, want) {
				t.Fatalf("round %d: Encode(%q) = %v, want %v of %v", round, s, got, want, pieces)
			}
		}
	}
}

// plainPieceIDs is BPE by scores as it is defined.
func plainPieceIDs(pieces []testPiece, s string) []int32 {
	ids := map[string]int32{}
	for id, p := range pieces {
		if p.kind == pieceNormal {
			ids[p.piece] = int32(id)
		}
	}
	symbols := strings.Split(strings.ReplaceAll(s, " ", metaspace), "")
	for {
		best, at := float32(-1), -1
		for i := 0; i+1 < len(symbols); i++ {
			if id, ok := ids[symbols[i]+symbols[i+1]]; ok && pieces[id].score > best {
				best, at = pieces[id].score, i
			}
		}
		if at < 0 {
			break
		}
		symbols = slices.Replace(symbols, at, at+2, symbols[at]+symbols[at+1])
	}
	out := []int32{}
	for _, symbol := range symbols {
		id, ok := ids[symbol]
		if !ok && len(out) > 0 && out[len(out)-1] == 0 {
			continue
		}
		out = append(out, id)
	}
	return out
}

// TestUnigramIsBest compares the path with the best of all paths.
func TestUnigramIsBest(t *testing.T) {
	if testing.Short() {
		t.Skip("all ways to split many texts")
	}
	for round := range uint64(200) {
		var pieces []string
		var scores []float64
		pieces, scores = append(pieces, ""), append(scores, 0)
		for i := range uint64(15) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(1, round, i)%4 {
				b.WriteString([]string{"a", "b", "é"}[rng.Intn(2, round, 10*i+k, 3)])
			}
			if !slices.Contains(pieces, b.String()) {
				pieces, scores = append(pieces, b.String()), append(scores, -1-10*rng.Float64(3, round, i))
			}
		}
		u := newUnigram(pieces, scores, -11, fallback{unknown: 0})
		for i := range uint64(5) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(4, round, i)%9 {
				b.WriteString([]string{"a", "b", "é", "z"}[rng.Intn(5, round, 100*i+k, 4)])
			}
			s := b.String()
			sum := 0.0
			var text strings.Builder
			for _, id := range u.encode(nil, s, &scratch{}) {
				text.WriteString(pieces[id])
				if sum += scores[id]; id == 0 {
					sum += u.unknown
				}
			}
			want := bestSum(u, pieces, s)
			if math.Abs(sum-want) > 1e-9 {
				t.Fatalf("round %d: the path of %q has score %g, the best %g", round, s, sum, want)
			}
		}
	}
}

// bestSum tries all paths.
func bestSum(u *unigram, pieces []string, s string) float64 {
	if s == "" {
		return 0
	}
	best := math.Inf(-1)
	_, n := utf8.DecodeRuneInString(s)
	for id, piece := range pieces {
		if rest, ok := strings.CutPrefix(s, piece); ok && piece != "" {
			best = max(best, u.scores[id]+bestSum(u, pieces, rest))
		}
	}
	if !slices.Contains(pieces, s[:n]) {
		best = max(best, u.unknown+bestSum(u, pieces, s[n:]))
	}
	return best
}

func TestTrie(t *testing.T) {
	for round := range uint64(100) {
		keys := map[string]int32{}
		var list []trieKey
		for i := range uint64(rng.Intn(1, round, 0, 60)) {
			b := make([]byte, 1+rng.Intn(2, round, i, 5))
			for k := range b {
				b[k] = []byte{0, 1, 'a', 'b', 0xFF}[rng.Intn(3, round, 10*i+uint64(k), 5)]
			}
			if _, twice := keys[string(b)]; !twice {
				keys[string(b)] = int32(i)
				list = append(list, trieKey{string(b), int32(i)})
			}
		}
		tr := newTrie(list)
		text := make([]byte, 200)
		for k := range text {
			text[k] = []byte{0, 1, 'a', 'b', 0xFF, 'c'}[rng.Intn(4, round, uint64(k), 6)]
		}
		for i := range text {
			want, value := 0, int32(-1)
			for n := 1; n <= 6 && i+n <= len(text); n++ {
				if id, ok := keys[string(text[i:i+n])]; ok {
					want, value = n, id
				}
			}
			if n, id := tr.longest(string(text), i); n != want || id != value {
				t.Fatalf("round %d: longest at %q = %d, %d, want %d, %d", round, text[i:], n, id, want, value)
			}
		}
	}
}
