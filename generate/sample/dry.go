package sample

import (
	"bytes"
	"fmt"
	"math"
)

// dryRepeats makes tokens less probable that would go on with a repeat ("don't
// repeat yourself", Weidmann 2024, text-generation-webui #5677): where the end of the
// text, n tokens of it, stands earlier, the token that followed there is penalised
// by multiplier x base^(n - allowed). No repeat reaches across a breaker, and
// breakers are never penalised.
func (s *Sampler) dryRepeats(p *pool) string {
	h := end(p.at.History, s.o.DRYLastN)
	if len(h) < 2 {
		return ""
	}
	most := s.dry.since(h)
	repeats := endings(h)
	longest := 0
	ids := p.count(h[1:], func(n *int32, i int) {
		// h[1+i] followed an occurrence that ends at i.
		if r := min(most, int(repeats[i])); r >= s.o.DRYAllowedLength && !s.dry.breaks(h[1+i]) {
			*n = max(*n, int32(r))
			longest = max(longest, r)
		}
	})
	p.edit(ids, func(i int, x float64) float64 {
		over := int(p.counts[ids[i]]) - s.o.DRYAllowedLength
		return x - min(s.o.DRYMultiplier*math.Pow(s.o.DRYBase, float64(over)), math.MaxFloat32)
	})
	p.forget(ids)
	if longest == 0 {
		return ""
	}
	return fmt.Sprintf("a repeat of %d tokens", longest)
}

// endings is, for each place of h but the last, how many tokens up to it are the
// same as those at the end of h (the Z-function of h read backwards, Gusfield
// 1997, section 1.3).
func endings(h []int32) []int32 {
	n := len(h)
	z := make([]int32, n)
	left, right := 0, 0 // the match that reaches farthest back, in reversed places
	for i := 1; i < n; i++ {
		k := 0
		if i < right {
			k = min(right-i, int(z[n-1-(i-left)]))
		}
		for i+k < n && h[n-1-k] == h[n-1-i-k] {
			k++
		}
		if i+k > right {
			left, right = i, i+k
		}
		z[n-1-i] = int32(k)
	}
	return z[:n-1]
}

// breakers are texts that end repeats.
type breakers struct {
	texts      [][]byte
	vocabulary [][]byte
	longest    int
}

func newBreakers(texts []string, vocabulary [][]byte) *breakers {
	b := &breakers{vocabulary: vocabulary}
	for _, t := range texts {
		b.texts = append(b.texts, []byte(t))
		b.longest = max(b.longest, len(t))
	}
	return b
}

func (b *breakers) bytes(id int32) []byte {
	if id < 0 || int(id) >= len(b.vocabulary) {
		return nil
	}
	return b.vocabulary[id]
}

// breaks says that a breaker is in the text of id.
func (b *breakers) breaks(id int32) bool {
	for _, t := range b.texts {
		if bytes.Contains(b.bytes(id), t) {
			return true
		}
	}
	return false
}

// since is how many tokens of h follow the last breaker, which may straddle
// tokens.
func (b *breakers) since(h []int32) int {
	if len(b.texts) == 0 || b.vocabulary == nil {
		return len(h)
	}
	var after []byte // the text behind the token, as far as a breaker could reach
	for i := len(h) - 1; i >= 0; i-- {
		text := b.bytes(h[i])
		whole := append(append([]byte(nil), text...), after...)
		last := -1 // the byte at which the last breaker that begins in the token ends
		for _, t := range b.texts {
			if at := bytes.LastIndex(whole[:min(len(whole), len(text)+len(t)-1)], t); at >= 0 {
				last = max(last, at+len(t)-1)
			}
		}
		if last >= 0 {
			n := i
			for ; last >= len(b.bytes(h[n])); n++ {
				last -= len(b.bytes(h[n]))
			}
			return len(h) - 1 - n
		}
		after = whole[:min(len(whole), b.longest-1)]
	}
	return len(h)
}
