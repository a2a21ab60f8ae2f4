package repair

import "strings"

// level is a mapping or sequence that is open, by its indentation.
type level struct {
	indent int
	item   bool // of a sequence
	opens  bool // its last entry has no value, so deeper lines belong to it
}

// yamlIndent moves lines whose indentation fits no open level to the nearest
// level of their kind. Lines below a moved line move with it.
func yamlIndent(text string) (edits []edit) {
	var levels []level
	moved, by := -1, 0 // lines indented deeper than moved shift by so much
	for _, l := range yamlLines(text) {
		if l.blank && !l.inBlock {
			continue
		}
		indent := l.indent
		if moved >= 0 && indent > moved {
			indent = max(indent+by, 0)
		} else {
			moved = -1
		}
		if l.structural() && !l.inBlock && !strings.HasPrefix(l.text, "---") {
			at := place(&levels, indent, l.dash > 0)
			if at != indent {
				moved, by = l.indent, at-l.indent
				indent = at
			}
			opened(&levels, indent, l)
		}
		if indent != l.indent {
			edits = append(edits, edit{start: l.start, end: l.start + l.indent, after: strings.Repeat(" ", indent), kind: Indent})
		}
	}
	return edits
}

// place is the indentation that a line of the kind should have.
func place(levels *[]level, indent int, item bool) int {
	var closed []level
	for n := len(*levels); n > 0 && (*levels)[n-1].indent > indent; n-- {
		closed = append(closed, (*levels)[n-1])
		*levels = (*levels)[:n-1]
	}
	n := len(*levels)
	if n == 0 {
		if len(closed) == 0 {
			return indent
		}
		// Further left than everything: the outermost level of the kind.
		*levels = append(*levels, closed[len(closed)-1])
		return closed[len(closed)-1].indent
	}
	top := (*levels)[n-1]
	switch {
	case top.indent == indent && (top.item == item || item && top.opens):
		return indent
	case top.indent == indent && n > 1 && !item && top.item && (*levels)[n-2].indent == indent:
		*levels = (*levels)[:n-1]
		return indent
	case top.indent < indent && top.opens && len(closed) == 0:
		return indent // a new level
	}
	// Between two levels, or deeper than a line that is complete.
	best, distance := top, indent-top.indent
	if top.item != item {
		distance += 100
	}
	for _, c := range closed {
		if c.item == item && c.indent-indent <= distance {
			best, distance = c, c.indent-indent
		}
	}
	if distance >= 100 {
		for k := n - 2; k >= 0; k-- {
			if (*levels)[k].item == item {
				best = (*levels)[k]
				*levels = (*levels)[:k+1]
				return best.indent
			}
		}
		return indent
	}
	if best.indent > top.indent {
		*levels = append(*levels, best)
	}
	return best.indent
}

// opened notes the levels that a line at indent opens.
func opened(levels *[]level, indent int, l yamlLine) {
	push := func(v level) {
		if n := len(*levels); n > 0 && (*levels)[n-1].indent == v.indent && (*levels)[n-1].item == v.item {
			(*levels)[n-1] = v
			return
		}
		*levels = append(*levels, v)
	}
	empty := strings.TrimSpace(l.rest()) == "" || strings.HasPrefix(strings.TrimSpace(l.rest()), "#")
	if l.dash > 0 {
		push(level{indent: indent, item: true, opens: empty && l.key == 0})
		if l.key > 0 {
			push(level{indent: indent + l.dash, opens: empty})
		}
		return
	}
	push(level{indent: indent, opens: empty})
}
