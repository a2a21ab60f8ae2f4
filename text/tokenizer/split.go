package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// splitRule is one of the scanners below.
type splitRule uint8

const (
	splitWhole splitRule = iota // the whole text is one piece
	splitChars                  // each character is a piece
	splitGPT2
	splitGPT4
	splitGPT4o
	splitDeepSeek
	splitSpaces    // before each run of U+2581, and where no token goes on
	splitMetaspace // before each U+2581
	splitBytes     // each byte is a piece and a token
)

// splitter finds the pieces of a text. It is a value without state: a piece's
// end is a function of the text from its start on.
type splitter struct {
	rule splitRule
	// maxDigits is the most digits of a number: 0 is any number of them.
	maxDigits int
	// lone says that digits were isolated before the pattern ran, one by one:
	// they take no leading space, and text before one ends there.
	lone bool
	// tail says that white space which reaches the end of the text is one piece,
	// before any rule about line ends is tried.
	tail bool
	// marks says that \p{M} counts as a letter (GPT-4 rules).
	marks bool
	// bare says that no 's, 't and so on are split off or belong to a word.
	bare bool
	// noEnds says that line ends do not belong to the symbols before them.
	noEnds  bool
	classes *classTable
	joins   *joinTable // of splitSpaces; nil: every two bytes are in a token
}

// piece makes a splitter a cutter.
func (p *splitter) piece(s string, i int) (from, to int) { return i, p.next(s, i) }

// next returns the end of the piece that starts at s[i]; i < len(s). The cost
// of all pieces together is linear in len(s).
func (p *splitter) next(s string, i int) int {
	switch p.rule {
	case splitGPT2:
		return p.gpt2(s, i)
	case splitGPT4:
		return p.gpt4(s, i)
	case splitGPT4o:
		return p.gpt4o(s, i)
	case splitDeepSeek:
		return p.deepSeek(s, i)
	case splitSpaces:
		return p.joins.next(s, i)
	case splitMetaspace:
		return nextSpace(s, i+1)
	case splitChars:
		_, n := p.classes.at(s, i)
		return i + n
	}
	return len(s)
}

// gpt2 is
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
func (p *splitter) gpt2(s string, i int) int {
	c, n := p.classes.at(s, i)
	if s[i] == ' ' && i+1 < len(s) {
		c1, n1 := p.classes.at(s, i+1)
		if c1&space == 0 && !(p.lone && c1&number != 0) {
			c, n, i = c1, n1, i+1
		}
	} else if s[i] == '\'' {
		if e := contraction(s, i, false); e > 0 {
			return e
		}
	}
	switch {
	case c&letter != 0:
		return p.classes.letters(s, i+n)
	case c&space != 0:
		return p.spaces(s, i)
	case p.lone && c&number != 0:
		return i + n
	}
	return p.classes.run(s, i+n, c&(number|other))
}

// gpt4 is, with \p{N}{1,3} or as many digits as maxDigits says,
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
//	 ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func (p *splitter) gpt4(s string, i int) int {
	c, n := p.classes.at(s, i)
	if p.marks {
		return p.gpt4Marks(s, i, c, n)
	}
	if c&letter != 0 {
		return p.classes.letters(s, i+n)
	}
	if s[i] == '\'' && !p.bare {
		if e := contraction(s, i, true); e > 0 {
			return e
		}
	}
	if c&(number|newline) == 0 && i+n < len(s) {
		if c1, n1 := p.classes.at(s, i+n); c1&letter != 0 {
			return p.classes.letters(s, i+n+n1)
		}
	}
	return p.rest(s, i, c, n, false)
}

// gpt4Marks is gpt4 with [\p{L}\p{M}]+ for \p{L}+ and without \p{M} among the
// other characters (Qwen 3.5). A mark may lead a word or belong to it, which
// is the same.
func (p *splitter) gpt4Marks(s string, i int, c uint16, n int) int {
	if s[i] == '\'' {
		if e := contraction(s, i, true); e > 0 {
			return e
		}
	}
	if c&(letter|mark) != 0 {
		return p.classes.run(s, i+n, letter|mark)
	}
	if c&(number|newline) == 0 && i+n < len(s) {
		if c1, n1 := p.classes.at(s, i+n); c1&(letter|mark) != 0 {
			return p.classes.run(s, i+n+n1, letter|mark)
		}
	}
	return p.rest(s, i, c, n, false)
}

// rest is the part that the GPT-4 patterns share once no word matches: numbers,
// other characters with [\r\n]* (or [\r\n/]*) after them, white space. The
// character at s[i] has class c and length n.
func (p *splitter) rest(s string, i int, c uint16, n int, slash bool) int {
	switch {
	case c&number != 0:
		return p.digits(s, i+n)
	case c&other != 0:
		return p.others(s, i+n, slash)
	case s[i] == ' ' && i+1 < len(s):
		if c1, n1 := p.classes.at(s, i+1); c1&other != 0 {
			return p.others(s, i+1+n1, slash)
		}
	}
	return p.spaces(s, i)
}

// others returns the end of [^\s\p{L}\p{N}]*[\r\n]* at s[i].
func (p *splitter) others(s string, i int, slash bool) int {
	if p.marks {
		for i < len(s) {
			c, n := p.classes.at(s, i)
			if c&other == 0 || c&mark != 0 {
				break
			}
			i += n
		}
	} else {
		i = p.classes.run(s, i, other)
	}
	if p.noEnds {
		return i
	}
	return lineEnds(s, i, slash)
}

// digits returns the end of a number whose first digit ends at i.
func (p *splitter) digits(s string, i int) int {
	for left := p.maxDigits - 1; left != 0 && i < len(s); left-- {
		c, n := p.classes.at(s, i)
		if c&number == 0 {
			break
		}
		i += n
	}
	return i
}

func lineEnds(s string, i int, slash bool) int {
	for i < len(s) && (s[i] == '\n' || s[i] == '\r' || slash && s[i] == '/') {
		i++
	}
	return i
}

// spaces matches \s*[\r\n]+ (GPT-4 rules only), \s+(?!\S) and \s+ in this order
// at s[i], which is white space: up to the last line end; else the whole run
// where the text ends; else all but the last character, which may lead a word.
func (p *splitter) spaces(s string, i int) int {
	end, last, lineEnd := i, i, 0
	for end < len(s) {
		c, n := p.classes.at(s, end)
		if c&space == 0 {
			if p.lone && c&number != 0 {
				return end
			}
			break
		}
		last = end
		end += n
		if c&newline != 0 {
			lineEnd = end
		}
	}
	switch {
	case p.tail && end == len(s):
		return end
	case p.rule != splitGPT2 && lineEnd > 0:
		return lineEnd
	case end == len(s) || last == i:
		return end
	}
	return last
}

// contraction returns the end of 's 't 're 've 'm 'll 'd at s[i], or 0. With
// fold, case is ignored as Unicode does: the long s (U+017F) is an s.
func contraction(s string, i int, fold bool) int {
	at := func(j int) byte {
		if j >= len(s) {
			return 0
		}
		if b := s[j]; fold && 'A' <= b && b <= 'Z' {
			return b + 'a' - 'A'
		}
		return s[j]
	}
	switch at(i + 1) {
	case 's', 't', 'm', 'd':
		return i + 2
	case 'r', 'v':
		if at(i+2) == 'e' {
			return i + 3
		}
	case 'l':
		if at(i+2) == 'l' {
			return i + 3
		}
	case 0xC5:
		if fold && at(i+2) == 0xBF {
			return i + 3
		}
	}
	return 0
}

// gpt4o is, with C for (?i:'s|'t|'re|'ve|'m|'ll|'d),
// U for [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and W for [\p{Ll}\p{Lm}\p{Lo}\p{M}],
//
//	[^\r\n\p{L}\p{N}]?U*W+C?|[^\r\n\p{L}\p{N}]?U+W*C?|\p{N}{1,3}|
//	 ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+
func (p *splitter) gpt4o(s string, i int) int {
	c, n := p.classes.at(s, i)
	start := i
	if c&(newline|letter|number) == 0 {
		start += n
	}
	if end, lowered := p.casedWord(s, start); end > 0 {
		// A mark may lead the word or belong to it. Where only U+ matches after
		// it, the first alternative without the lead comes earlier, and the mark
		// is the only character that its W+ can take.
		if start > i && c&upper != 0 && !lowered {
			end = start
		}
		return p.suffix(s, end)
	}
	if c&upper != 0 { // a mark with no word after it: W+ takes it alone
		return p.suffix(s, start)
	}
	return p.rest(s, i, c, n, true)
}

// casedWord returns the end of U*W+ at s[i] and true, or else that of U+W* and
// false, or else 0.
func (p *splitter) casedWord(s string, i int) (end int, lowered bool) {
	both := 0 // end of the last character of the run that is in U and in W
	for end = i; end < len(s); {
		c, n := p.classes.at(s, end)
		if c&upper == 0 {
			break
		}
		end += n
		if c&lower != 0 {
			both = end
		}
	}
	if e := p.classes.run(s, end, lower); e > end {
		return e, true
	}
	if both > 0 {
		return both, true
	}
	if end > i {
		return end, false
	}
	return 0, false
}

func (p *splitter) suffix(s string, i int) int {
	if !p.bare && i < len(s) && s[i] == '\'' {
		if e := contraction(s, i, true); e > 0 {
			return e
		}
	}
	return i
}

// deepSeek is
//
//	[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
//	 ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// and between the matches, where none of it matches, up to the next match.
func (p *splitter) deepSeek(s string, i int) int {
	if e := p.deepSeekMatch(s, i); e > 0 {
		return e
	}
	for i < len(s) {
		_, n := p.classes.at(s, i)
		if i += n; i < len(s) && p.deepSeekMatch(s, i) > 0 {
			break
		}
	}
	return i
}

// deepSeekMatch returns the end of the match at s[i], or 0.
func (p *splitter) deepSeekMatch(s string, i int) int {
	c, n := p.classes.at(s, i)
	if c&(letter|mark) != 0 {
		return p.classes.run(s, i+n, letter|mark)
	}
	if s[i] < utf8.RuneSelf && c&sign != 0 {
		end := i + 1
		for end < len(s) && asciiLetter(s[end]) {
			end++
		}
		if end > i+1 {
			return end
		}
	}
	c1, n1 := uint16(0), 0
	if i+n < len(s) {
		c1, n1 = p.classes.at(s, i+n)
	}
	switch {
	case c&(newline|sign) == 0 && c1&(letter|mark) != 0:
		return p.classes.run(s, i+n+n1, letter|mark)
	case c&sign != 0:
		return lineEnds(s, p.classes.run(s, i+n, sign), false)
	case s[i] == ' ' && c1&sign != 0:
		return lineEnds(s, p.classes.run(s, i+n+n1, sign), false)
	case c&space != 0:
		return p.spaces(s, i)
	}
	return 0
}

// nextSpace returns where the next U+2581 begins at or after s[i].
func nextSpace(s string, i int) int {
	for ; i < len(s); i++ {
		if s[i] == metaspace[0] && strings.HasPrefix(s[i:], metaspace) {
			return i
		}
	}
	return len(s)
}
