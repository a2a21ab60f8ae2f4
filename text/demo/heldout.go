package demo

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text"
)

const (
	// overlapWords is the length of the word n-grams that count as overlap:
	// 13, as in Brown et al. 2020 (arXiv 2005.14165), appendix C.
	overlapWords = 13
	// overlapShare is the share of a demonstration's n-grams that must occur
	// in the held-out text for it to be dropped. (Brown et al. drop at one;
	// boilerplate of source code reaches that by chance.)
	overlapShare = 0.5
)

// HeldOut knows the validation split, so that no demonstration trains on it.
type HeldOut struct {
	files map[string]bool
	grams []uint64 // sorted hashes of word n-grams
}

// NewHeldOut reads the validation documents. It keeps 8 bytes for each
// distinct n-gram of their words.
func NewHeldOut(docs text.Stream) (*HeldOut, error) {
	h := &HeldOut{files: map[string]bool{}}
	limit := 1 << 20
	for doc, err := range docs {
		if err != nil {
			return nil, err
		}
		if !strings.HasSuffix(doc.ID, text.TailMark) { // the beginning of that file is not held out
			h.files[File(doc)] = true
		}
		eachGram(doc.Text, func(g uint64) { h.grams = append(h.grams, g) })
		if len(h.grams) > limit {
			h.compact()
			limit = 2*len(h.grams) + 1<<20
		}
	}
	h.compact()
	return h, nil
}

func (h *HeldOut) compact() {
	slices.Sort(h.grams)
	h.grams = slices.Compact(h.grams)
}

// Overlaps reports whether a demonstration comes from a held-out file
// ("file") or repeats held-out text ("text"). A nil HeldOut holds nothing.
func (h *HeldOut) Overlaps(d Demonstration) (reason string, overlaps bool) {
	if h == nil {
		return "", false
	}
	if h.files[d.Provenance.File] {
		return "file", true
	}
	total, hits := 0, 0
	count := func(g uint64) {
		total++
		if _, found := slices.BinarySearch(h.grams, g); found {
			hits++
		}
	}
	eachGram(d.Prompt, count)
	eachGram(d.Response, count)
	if total > 0 && float64(hits) >= overlapShare*float64(total) {
		return "text", true
	}
	return "", false
}

// Deduplicate passes on the demonstrations that do not overlap with the
// held-out documents, and counts the others by reason in dropped, if not nil.
func (h *HeldOut) Deduplicate(demos Stream, dropped map[string]int) Stream {
	return func(yield func(Demonstration, error) bool) {
		for d, err := range demos {
			if err == nil {
				if reason, overlaps := h.Overlaps(d); overlaps {
					if dropped != nil {
						dropped[reason]++
					}
					continue
				}
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// eachGram calls fn with a hash of each run of overlapWords words of s. A word
// is a run of letters, marks, digits and underscores in lower case, or one
// character of a script that writes without spaces; all else is skipped.
func eachGram(s string, fn func(uint64)) {
	const base = 0x9E3779B97F4A7C15 // odd, so that powers never vanish
	drop := uint64(1)               // base^overlapWords
	for range overlapWords {
		drop *= base
	}
	var ring [overlapWords]uint64
	var word []byte
	sum, n := uint64(0), 0
	flush := func() {
		if len(word) == 0 {
			return
		}
		w := xxh3.Hash(word)
		word = word[:0]
		sum = sum*base + w - drop*ring[n%overlapWords]
		ring[n%overlapWords] = w
		n++
		if n >= overlapWords {
			fn(sum)
		}
	}
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_'):
			word = append(word, byte(r))
		case r >= 'A' && r <= 'Z':
			word = append(word, byte(r+'a'-'A'))
		case r < utf8.RuneSelf:
			flush()
		case unspaced(r):
			flush()
			word = utf8.AppendRune(word, r)
			flush()
		case unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r):
			word = utf8.AppendRune(word, unicode.ToLower(r))
		default:
			flush()
		}
	}
	flush()
}

// unspaced says that r belongs to a script written without spaces between
// words.
func unspaced(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
