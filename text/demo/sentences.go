package demo

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

var lineBreaks = strings.NewReplacer("\n", " ", "\r", " ")

// sentences splits a paragraph at sentence borders (Unicode Standard Annex 29,
// which knows the full stops of all scripts); line breaks count as spaces. The
// pieces joined give the paragraph back. Pieces that end with an abbreviation
// or an initial stay with the next.
func sentences(paragraph string) []string {
	flat := lineBreaks.Replace(paragraph) // of equal length
	var out []string
	from, at, state := 0, 0, -1
	for rest := flat; rest != ""; {
		var s string
		s, rest, state = uniseg.FirstSentenceInString(rest, state)
		at += len(s)
		if rest == "" || !abbreviated(flat[from:at]) {
			out = append(out, paragraph[from:at])
			from = at
		}
	}
	return out
}

var abbreviations = map[string]bool{
	"mr": true, "mrs": true, "ms": true, "dr": true, "st": true, "prof": true, "sr": true, "jr": true, "no": true,
	"vs": true, "cf": true, "etc": true, "e.g": true, "i.e": true, "vol": true, "fig": true, "ca": true, "approx": true,
}

// abbreviated says that s ends with "Mr. ", "e.g. ", "J. " or the like.
func abbreviated(s string) bool {
	s, dot := strings.CutSuffix(strings.TrimRight(s, " "), ".")
	if !dot {
		return false
	}
	if i := strings.LastIndexFunc(s, unicode.IsSpace); i >= 0 {
		_, size := utf8.DecodeRuneInString(s[i:])
		s = s[i+size:]
	}
	s = strings.TrimLeft(s, "([\"'“‘")
	r, size := utf8.DecodeRuneInString(s)
	return abbreviations[strings.ToLower(s)] || size > 0 && size == len(s) && unicode.IsUpper(r)
}

// gap is a place in a passage to be filled in.
type gap struct{ from, to int }

// gaps returns the words and, in scripts without spaces, phrases between
// punctuation that may be left out: long enough to mean something and found
// only once in the passage. The first word is not among them.
func gaps(passage string) []gap {
	var out []gap
	from, runes, dense := -1, 0, false
	add := func(to int) {
		word := ""
		if from > 0 {
			word = passage[from:to]
		}
		least := 4
		if dense {
			least = 2
		} else if word != "" && word[0] >= utf8.RuneSelf {
			least = 3
		}
		if word != "" && runes >= least && runes <= 24 && strings.Count(passage, word) == 1 {
			out = append(out, gap{from, to})
		}
		from, runes, dense = -1, 0, false
	}
	for i, r := range passage {
		if unicode.IsLetter(r) || unicode.IsMark(r) || r == '\u200c' || r == '\u200d' {
			if from < 0 {
				from = i
			}
			runes++
			dense = dense || unspaced(r)
		} else if from >= 0 {
			add(i)
		}
	}
	if from >= 0 {
		add(len(passage))
	}
	return out
}
