package repair

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// yamlLine is a line of a text that should be YAML.
type yamlLine struct {
	start   int    // its first byte
	text    string // without the line break
	indent  int    // blanks before its content
	dash    int    // bytes of the dashes and blanks behind the indentation
	key     int    // bytes of the key with its colon and blanks, 0 without one
	inBlock bool   // inside a block scalar
	blank   bool   // nothing or a comment only
}

// value is where the value begins, as a byte of the text.
func (l yamlLine) value() int { return l.start + l.indent + l.dash + l.key }

// rest is the value.
func (l yamlLine) rest() string { return l.text[l.indent+l.dash+l.key:] }

// structural tells whether the line is a key, an item or a marker.
func (l yamlLine) structural() bool {
	return !l.inBlock && !l.blank && (l.dash > 0 || l.key > 0 || strings.HasPrefix(l.text, "---") ||
		yamlTight.MatchString(strings.TrimSpace(l.text)) || l.bullet())
}

// bullet tells whether the line begins with a dash that has no blank after it.
func (l yamlLine) bullet() bool {
	s := l.text[l.indent:]
	return len(s) > 1 && s[0] == '-' && (isLetter(s[1]) || s[1] == '"' || s[1] == '\'')
}

// preface tells whether a first line is a sentence before the document: several
// words, with no value, and what follows is not indented under it.
func (l yamlLine) preface(next []yamlLine) bool {
	if l.dash > 0 || l.indent > 0 || l.key > 0 && l.rest() != "" || yamlTight.MatchString(l.text) || !yamlPreface.MatchString(strings.TrimSpace(l.text)) {
		return false
	}
	for _, n := range next {
		if !n.blank {
			return n.indent == 0
		}
	}
	return false
}

// yamlLines splits a text into lines and finds their parts.
func yamlLines(text string) (lines []yamlLine) {
	at, block := 0, -1 // block is the indentation of the line with | or >
	for raw := range strings.Lines(text) {
		l := yamlLine{start: at, text: strings.TrimRight(raw, "\r\n")}
		at += len(raw)
		l.indent = len(l.text) - len(strings.TrimLeft(l.text, " "))
		content := l.text[l.indent:]
		l.blank = content == "" || content[0] == '#'
		if block >= 0 && (content == "" || l.indent > block) {
			l.inBlock = true
			lines = append(lines, l)
			continue
		}
		block = -1
		for strings.HasPrefix(content, "- ") || content == "-" {
			n := len(content) - len(strings.TrimLeft(content[1:], " "))
			l.dash += n
			content = content[n:]
		}
		if m := yamlKey.FindString(content); m != "" && !l.blank {
			l.key = len(m)
		}
		if yamlBlock.MatchString(l.text) {
			block = l.indent + l.dash
			if l.key == 0 {
				block = l.indent
			} else if l.dash == 0 {
				block = l.indent
			}
		}
		lines = append(lines, l)
	}
	return lines
}

// yamlScalars repairs what stands on single lines: dashes and colons without a
// blank, values that need quotes, quotes that are not closed.
func yamlScalars(text string) (edits []edit) {
	lines := yamlLines(text)
	bullets := 0
	for _, l := range lines {
		if l.dash > 0 || l.bullet() {
			bullets++
		}
	}
	skip := byte(0) // the quote of a text that goes on over lines
	for i, l := range lines {
		if l.inBlock || l.blank {
			continue
		}
		if skip != 0 {
			if strings.IndexByte(l.text, skip) >= 0 {
				skip = 0
			}
			continue
		}
		if l.dash == 0 && l.bullet() && bullets > 1 {
			at := l.start + l.indent + 1
			edits = append(edits, edit{start: at, end: at, after: " ", kind: DashSpace})
			rest := l.text[l.indent+1:]
			edits = append(edits, yamlValue(at, rest, lines[i+1:], text)...)
			continue
		}
		if content := l.text[l.indent+l.dash:]; l.key == 0 && yamlTight.MatchString(content) {
			at := l.start + l.indent + l.dash + strings.IndexByte(content, ':') + 1
			edits = append(edits, edit{start: at, end: at, after: " ", kind: Colon})
			edits = append(edits, yamlValue(at, l.text[at-l.start:], lines[i+1:], text)...)
			continue
		}
		if l.key == 0 && l.dash == 0 {
			continue // part of a text over lines
		}
		if rest := l.rest(); l.key > 0 && strings.HasPrefix(rest, "- ") {
			// A list that begins on the line of its key.
			at := l.value()
			edits = append(edits, edit{start: at, end: at, after: "\n" + strings.Repeat(" ", l.indent+l.dash+2), kind: Indent})
			continue
		}
		fixed := yamlValue(l.value(), l.rest(), lines[i+1:], text)
		edits = append(edits, fixed...)
		if rest := l.rest(); len(fixed) == 0 && rest != "" && (rest[0] == '"' || rest[0] == '\'') && quoteEnd(rest) < 0 {
			skip = rest[0]
		}
	}
	return edits
}

// quoteEnd is the place behind the closing quote of a text that begins with a
// quote, -1 if it is not closed.
func quoteEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[0] == '"' && s[i] == '\\':
			i++
		case s[i] == s[0] && s[0] == '\'' && i+1 < len(s) && s[i+1] == '\'':
			i++
		case s[i] == s[0]:
			return i + 1
		}
	}
	return -1
}

// yamlValue repairs one value, which stands at byte at of the text; next are the
// lines after it.
func yamlValue(at int, raw string, next []yamlLine, text string) []edit {
	v := strings.TrimRight(raw, " \t")
	if cut := strings.Index(v, " #"); cut >= 0 && v[0] != '"' && v[0] != '\'' {
		v = strings.TrimRight(v[:cut], " \t")
	}
	if v == "" {
		return nil
	}
	replace := func(kind Kind, after string) []edit {
		return []edit{{start: at, end: at + len(v), after: after, kind: kind}}
	}
	class, n := quoteAt(v, 0)
	switch {
	case n > 1: // smart quotes
		inner := v[n:]
		if c, _ := quoteAt(inner, len(inner)-n); c == class && len(inner) >= n {
			inner = inner[:len(inner)-n]
		}
		return replace(QuoteStyle, plainQuoted(inner))
	case v[0] == '"' || v[0] == '\'':
		return yamlQuoted(v, next, replace)
	case v[0] == '[' || v[0] == '{':
		if readYAML("x: "+v) == nil {
			return nil
		}
		open := strings.Count(v, "[") + strings.Count(v, "{") - strings.Count(v, "]") - strings.Count(v, "}")
		if open > 0 && !entryNext(next) {
			return nil // it goes on over lines
		}
		if open > 0 {
			if r, err := JSON(v, Options{}); err == nil {
				return replace(CloserAdded, r.Text)
			}
		}
		return replace(Quoted, plainQuoted(v))
	case v[0] == '@' || v[0] == '`' || v[0] == '%' || strings.Contains(v, ": ") || strings.HasSuffix(v, ":"):
		return replace(Quoted, plainQuoted(v))
	case v[0] == '*' && !(yamlAnchored.MatchString(v) && strings.Contains(text, "&"+strings.TrimSpace(v[1:]))):
		return replace(Quoted, plainQuoted(v))
	case v[0] == '&' && !yamlAnchored.MatchString(v), v[0] == ',' || v[0] == ']' || v[0] == '}':
		return replace(Quoted, plainQuoted(v))
	}
	return nil
}

// yamlQuoted repairs a value that begins with a quote: quotes inside, text after
// the closing one, no closing one.
func yamlQuoted(v string, next []yamlLine, replace func(Kind, string) []edit) []edit {
	end := quoteEnd(v)
	if end < 0 {
		if !entryNext(next) {
			return nil // it goes on over lines
		}
		return replace(CloseQuote, v+v[:1])
	}
	tail := strings.TrimSpace(v[end:])
	switch {
	case tail == "" || tail[0] == '#' || tail[0] == ':':
		return nil
	case v[len(v)-1] == v[0] && v[0] == '\'':
		return replace(InnerQuote, plainQuoted(v[1:len(v)-1]))
	case v[len(v)-1] == v[0]:
		return replace(InnerQuote, `"`+strings.ReplaceAll(v[1:len(v)-1], `"`, `\"`)+`"`)
	}
	return replace(Quoted, plainQuoted(v))
}

// entryNext tells whether the next line begins an entry, or none follows.
func entryNext(next []yamlLine) bool {
	for _, l := range next {
		if !l.blank {
			return l.structural()
		}
	}
	return true
}

// plainQuoted writes a text of one line in single quotes.
func plainQuoted(s string) string {
	if strings.ContainsAny(s, "\t\\") && !strings.Contains(s, "'") {
		b, _ := json.Marshal(s)
		return string(b)
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

var duplicate = regexp.MustCompile(`^\[(\d+):\d+\] mapping key .* already defined at \[(\d+):(\d+)\]`)

// duplicateEdits take out the first of two entries with the same key.
func duplicateEdits(text string, problem error) []edit {
	m := duplicate.FindStringSubmatch(problem.Error())
	if m == nil {
		return nil
	}
	line, _ := strconv.Atoi(m[2])
	column, _ := strconv.Atoi(m[3])
	lines := yamlLines(text)
	if line < 1 || line > len(lines) || column < 1 {
		return nil
	}
	l := lines[line-1]
	from := l.start + column - 1
	for _, n := range lines[line:] {
		if n.blank || n.inBlock || n.indent > column-1 || n.indent == column-1 && n.dash > 0 {
			continue
		}
		to := n.start
		if l.dash > 0 { // the next key moves to the dash
			to = n.start + n.indent
		} else {
			from = l.start
		}
		return []edit{{start: from, end: to, kind: Duplicate}}
	}
	return nil
}
