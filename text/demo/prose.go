package demo

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Phrasings for English text; %s is the subject. Text in other languages has
// the subject alone as its prompt, since a phrase in another language than the
// text's would teach to mix them.
var phrasings = map[string][]string{
	TaskHeading: {
		"Write about: %s",
		"Write a section with the heading \"%s\".",
		"Tell me about %s.",
		"%s",
	},
	TaskDefinition: {
		"What is %s?",
		"Define: %s",
		"What does \"%s\" mean?",
		"Explain the term \"%s\".",
	},
	TaskContinuation: {
		"Continue this text.\n\n%s",
		"What comes next?\n\n%s",
		"%s\n\nGo on.",
		"Here is the beginning of a passage. Write the rest.\n\n%s",
	},
	TaskFillIn: {
		"Fill in the gap.\n\n%s",
		"Which word is missing?\n\n%s",
		"%s\n\nWhat belongs in the gap?",
	},
}

const blank = "____" // stands for a gap

func (p *page) prompt(task, subject string) string {
	forms := phrasings[task]
	if !p.english || len(forms) == 0 {
		return subject
	}
	form := forms[Pick(p.e.o.Seed, "phrase\x00"+task+"\x00"+subject, len(forms))]
	return strings.Replace(form, "%s", subject, 1)
}

// sections makes heading -> section and question -> paragraph. A section is
// named by its heading and, in brackets, the outermost heading around it.
func (p *page) sections() {
	var around []block // the marked headings above, outermost first
	for i, b := range p.blocks {
		subject := b.text
		if b.level > 0 {
			for len(around) > 0 && around[len(around)-1].level >= b.level {
				around = around[:len(around)-1]
			}
			if len(around) > 0 {
				subject += " (" + around[0].text + ")"
			}
			around = append(around, b)
		}
		if i+1 == len(p.blocks) || p.blocks[i+1].heading {
			continue
		}
		question := questionLike(b.text, b.heading)
		if !b.heading && !question {
			continue
		}
		answer := p.blocks[i+1].text
		if questionLike(answer, false) {
			continue
		}
		if question {
			if len(answer) >= p.e.o.MinResponse {
				p.emit(TaskQuestion, b.text, p.fit(answer), p.blocks[i+1].line)
			}
			continue
		}
		for _, next := range p.blocks[i+2:] {
			if next.heading || len(answer)+2+len(next.text) > p.e.o.MaxResponse {
				break
			}
			if !next.tight {
				answer += "\n"
			}
			answer += "\n" + next.text
		}
		if answer = p.fit(answer); len(answer) >= p.e.o.MinResponse {
			p.emit(TaskHeading, p.prompt(TaskHeading, subject), answer, p.blocks[i+1].line)
		}
	}
}

// fit cuts a text that is longer than a response may be after its last whole
// sentence; "" when the first is too long already.
func (p *page) fit(s string) string {
	if len(s) <= p.e.o.MaxResponse {
		return s
	}
	n := 0
	for _, sentence := range sentences(s) {
		if n+len(strings.TrimSpace(sentence)) > p.e.o.MaxResponse {
			break
		}
		n += len(sentence)
	}
	return strings.TrimSpace(s[:n])
}

// passages makes one continuation or one gap of each passage: a paragraph, or
// a run of its sentences that fits into prompt and response.
func (p *page) passages() {
	for _, b := range p.blocks {
		if b.heading || len(b.text) < 2*p.e.o.MinResponse {
			continue
		}
		line := b.line
		var run []string
		size := 0
		flush := func() {
			p.passage(run, line)
			line += strings.Count(strings.Join(run, ""), "\n")
			run, size = nil, 0
		}
		for _, s := range sentences(b.text) {
			if size > 0 && size+len(s) > p.e.o.MaxPrompt*3/4 {
				flush()
			}
			run, size = append(run, s), size+len(s)
		}
		flush()
	}
}

func (p *page) passage(run []string, line int) {
	whole := strings.Join(run, "")
	if len(whole) < 2*p.e.o.MinResponse {
		return
	}
	key := fmt.Sprintf("%s\x00%d\x00%s", p.file, line, whole)
	if len(run) >= 2 && Pick(p.e.o.Seed, "task\x00"+key, 2) == 0 {
		// The border nearest to the middle.
		cut, at := 0, 0
		for _, s := range run[:len(run)-1] {
			at += len(s)
			if cut == 0 || abs(2*at-len(whole)) < abs(2*cut-len(whole)) {
				cut = at
			}
		}
		first, second := strings.TrimSpace(whole[:cut]), whole[cut:]
		if len(first) >= p.e.o.MinResponse && len(strings.TrimSpace(second)) >= p.e.o.MinResponse {
			p.emit(TaskContinuation, p.prompt(TaskContinuation, first), second,
				line+strings.Count(whole[:cut], "\n"))
			return
		}
	}
	sentence := run[Pick(p.e.o.Seed, "sentence\x00"+key, len(run))]
	if len(sentence) < p.e.o.MinResponse || len(sentence) > p.e.o.MaxPrompt {
		return
	}
	places := gaps(sentence)
	if len(places) == 0 {
		return
	}
	g := places[Pick(p.e.o.Seed, "gap\x00"+key, len(places))]
	open := strings.TrimSpace(sentence[:g.from] + blank + sentence[g.to:])
	p.emit(TaskFillIn, p.prompt(TaskFillIn, open), sentence[g.from:g.to], line)
}

func abs(x int) int { return max(x, -x) }

// definition is one found in a document.
type definition struct {
	term, text string
	line       int
}

// definitions makes term -> definition from Markdown definition lists
// ("term", then ": definition"), from bold terms, and from lists of three and
// more lines "term: definition" or "term — definition". A term that comes
// twice is no term but, say, the speaker in a play.
func (p *page) definitions(text string) {
	var found, run []definition
	count := map[string]int{}
	flush := func() {
		if len(run) >= 3 {
			found = append(found, run...)
		}
		run = run[:0]
	}
	last, lastLine := "", 0
	n := 0
	for line := range strings.SplitSeq(text, "\n") {
		n++
		bare := strings.TrimSpace(line)
		if bare == "" {
			continue // lists may have blank lines between items
		}
		if body, ok := strings.CutPrefix(bare, ": "); ok && lastLine > 0 && isTerm(last) && isDefinition(body) {
			flush()
			found = append(found, definition{last, strings.TrimSpace(body), n})
			count[last]++
		} else if d, bold := defined(bare); d.term != "" {
			d.line = n
			count[d.term]++
			if bold {
				found = append(found, d)
			} else {
				run = append(run, d)
			}
		} else {
			flush()
		}
		last, lastLine = strings.Trim(bare, "*_`"), n
	}
	flush()
	for _, d := range found {
		if count[d.term] == 1 {
			p.emit(TaskDefinition, p.prompt(TaskDefinition, d.term), p.fit(d.text), d.line)
		}
	}
}

// defined splits "term: definition" and the like, with or without a list
// marker; bold says that the term was marked as such.
func defined(s string) (d definition, bold bool) {
	item := strings.TrimLeft(s, "-*+•· ")
	if strings.HasPrefix(s, "**") || strings.HasPrefix(s, "__") {
		item = s
	} else if i := strings.Index(s, "**"); i >= 0 && strings.Trim(s[:i], "-*+•· ") == "" {
		item = s[i:]
	}
	at, width := -1, 0
	for _, sep := range []string{": ", "：", " — ", " – ", "——", ":** ", ":__ "} {
		if i := strings.Index(item, sep); i > 0 && (at < 0 || i < at) {
			at, width = i, len(sep)
		}
	}
	if at < 0 {
		return d, false
	}
	term, text := item[:at], strings.TrimSpace(strings.TrimLeft(item[at+width:], "*_ "))
	bare := strings.Trim(term, "*_` ")
	bold = strings.HasPrefix(term, "**") || strings.HasPrefix(term, "__")
	if !isTerm(bare) || !isDefinition(text) {
		return d, false
	}
	return definition{term: bare, text: text}, bold
}

// isTerm says that s is short, starts with a letter or digit, and holds no
// punctuation that ends a clause.
func isTerm(s string) bool {
	if s == "" || len(s) > 90 || utf8.RuneCountInString(s) > 48 || len(strings.Fields(s)) > 5 {
		return false
	}
	first, _ := utf8.DecodeRuneInString(s)
	return (unicode.IsLetter(first) || unicode.IsDigit(first)) && strings.IndexFunc(s, unicode.IsLetter) >= 0 &&
		!strings.ContainsAny(s, ".,;:!?\"\n。，；：！？؟|/\\=<>")
}

// isDefinition says that s is at least three words, or eight characters of a
// script without spaces, and no address.
func isDefinition(s string) bool {
	if strings.HasPrefix(s, "//") || strings.Contains(s, "://") {
		return false
	}
	if len(strings.Fields(s)) >= 3 {
		return true
	}
	dense := 0
	for _, r := range s {
		if unspaced(r) {
			dense++
		}
	}
	return dense >= 8
}
