package demo

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// block is a heading or a paragraph of a document.
type block struct {
	heading bool
	level   int // of a marked heading, 1 the highest; 0: not known
	text    string
	line    int  // 1-based line of its start
	tight   bool // no line lies between it and the block before
}

// blocks splits prose into headings and paragraphs. Headings are Markdown
// ("# x", underlined), wiki ("= x ="), or short lines that stand above a
// paragraph. Fenced code, tables, rules and lines of markup are left out.
// Paragraphs end at blank lines, or with each line in a document that does not
// wrap its lines.
func blocks(text string) []block {
	lines := strings.Split(text, "\n")
	wrapped := wraps(lines)
	var out []block
	var para []string
	start, end, fence := 0, -1, "" // end is the line after the last block
	flush := func() {
		if len(para) > 0 {
			out = append(out, block{text: strings.Join(para, "\n"), line: start, tight: start == end})
			end = start + len(para)
			para = nil
		}
	}
	for i, line := range lines {
		line = strings.TrimRight(line, " \t\r")
		bare := strings.TrimSpace(line)
		if fence != "" {
			if strings.HasPrefix(bare, fence) {
				fence = ""
			}
			continue
		}
		switch {
		case strings.HasPrefix(bare, "```"), strings.HasPrefix(bare, "~~~"):
			flush()
			fence = bare[:3]
		case bare == "":
			flush()
		case underline(bare) && len(para) == 1 && headingLine(para[0]):
			level := 2
			if bare[0] == '=' {
				level = 1
			}
			out = append(out, block{heading: true, level: level, text: para[0], line: start})
			para = nil
		case underline(bare), bare[0] == '|', bare[0] == '<':
			flush()
		default:
			if h, level := markedHeading(bare); h != "" {
				flush()
				out = append(out, block{heading: true, level: level, text: h, line: i + 1})
				continue
			}
			if len(para) == 0 {
				start = i + 1
			}
			para = append(para, bare)
			if !wrapped && !underlineFollows(lines, i) {
				flush()
			}
		}
	}
	flush()
	plainHeadings(out)
	return out
}

// wraps says whether the lines of a document are broken by width: few of its
// bytes lie in lines of more than 100 columns.
func wraps(lines []string) bool {
	long, all := 0, 0
	for _, l := range lines {
		all += len(l)
		if len(l) > 100 && columns(l) > 100 {
			long += len(l)
		}
	}
	return 5*long < all
}

// columns is the width of a line: East Asian characters count double.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x2E80 && r < 0xFF00 {
			n++
		}
	}
	return n
}

func underline(s string) bool {
	return len(s) >= 3 && (strings.Trim(s, "=") == "" || strings.Trim(s, "-") == "" || strings.Trim(s, "*") == "")
}

func underlineFollows(lines []string, i int) bool {
	return i+1 < len(lines) && underline(strings.TrimSpace(lines[i+1])) && headingLine(strings.TrimSpace(lines[i]))
}

// markedHeading returns the text and level of "## x" and "== x ==", or "".
func markedHeading(s string) (heading string, level int) {
	switch s[0] {
	case '#':
		h := strings.TrimLeft(s, "#")
		level = len(s) - len(h)
		if level <= 6 && h != "" && (h[0] == ' ' || h[0] == '\t') {
			return strings.TrimSpace(strings.TrimRight(h, "#")), level
		}
	case '=':
		if h := strings.Trim(s, "= "); s[len(s)-1] == '=' && headingLine(h) {
			return h, strings.Count(s[:strings.Index(s, h)], "=")
		}
	}
	return "", 0
}

// plainHeadings turns short single lines above a longer paragraph into
// headings.
func plainHeadings(bs []block) {
	for i := range bs {
		if i+1 == len(bs) || bs[i].heading || bs[i+1].heading || !headingLine(bs[i].text) {
			continue
		}
		next := bs[i+1].text
		if len(next) > 2*len(bs[i].text) && (len(next) >= 80 || endsSentence(next)) {
			bs[i].heading = true
		}
	}
}

// endsSentence says that the last character is the full stop of some script.
func endsSentence(s string) bool {
	last, _ := utf8.DecodeLastRuneInString(s)
	return unicode.Is(unicode.STerm, last) || last == '.'
}

// headingLine says that one line can be a heading: at most 12 words and 80
// characters, with a letter, no list item or quotation, and without
// punctuation at the end other than a question mark.
func headingLine(s string) bool {
	if s == "" || len(s) > 320 || utf8.RuneCountInString(s) > 80 || strings.Contains(s, "\n") || len(strings.Fields(s)) > 12 {
		return false
	}
	if strings.ContainsAny(s[:1], "-*+>\"'([{`") || strings.IndexFunc(s, unicode.IsLetter) < 0 {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(s)
	return questionMark(last) || !unicode.IsPunct(last) || strings.ContainsRune(")]）】》」\"”", last)
}

// questionMark reports the marks that end a question: ASCII and full-width,
// Arabic, Armenian, Greek, Ethiopic and reversed.
func questionMark(r rune) bool { return strings.ContainsRune("?？؟՞\u037e፧⸮‽⁇⁈", r) }

// questionWords start a question in English.
var questionWords = map[string]bool{
	"what": true, "how": true, "why": true, "when": true, "where": true, "who": true,
	"whom": true, "whose": true, "which": true,
}

// questionLike says that a line asks something: it ends with a question mark
// (in Greek text also ";"), or is a heading that starts with a question word.
func questionLike(s string, heading bool) bool {
	if s == "" || strings.Contains(s, "\n") || len(s) > 400 {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(s, " \"'”’»」』)）*_"))
	if questionMark(last) || last == ';' && strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Greek, r) }) >= 0 {
		return true
	}
	first, rest, _ := strings.Cut(s, " ")
	return heading && rest != "" && questionWords[strings.ToLower(first)]
}

// english says whether most of the text is English, whose function words make
// up a quarter of it. Prompts in other languages carry no English phrases.
func english(text string) bool {
	words, hits := 0, 0
	for w := range strings.FieldsSeq(text) {
		switch strings.ToLower(w) {
		case "the", "and", "of", "to", "that", "is", "was", "for", "with", "a", "are", "this", "you":
			hits++
		}
		if words++; words == 2000 {
			break
		}
	}
	return 10*hits >= words && hits > 0
}
