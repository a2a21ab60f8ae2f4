package jinja

import "slices"

// Origin says where text comes from. Zero is the template or the program; other
// values are the caller's names for its inputs.
type Origin int32

// Mark is what is known about a byte of Text.
type Mark struct {
	Origin    Origin
	Generated bool // written inside a generation block
}

// Text is a string whose bytes carry marks. An empty Text has a mark too, and
// keeps it as a run of no bytes when it is joined to others, so that an empty
// input leaves a trace of where it was written.
type Text struct {
	s    string
	mark Mark  // of all bytes where runs is nil
	runs []run // the ends ascend, the last is len(s)

	// safe is Markup, which the filters safe and escape make: "+" escapes what is
	// not safe for HTML when it joins it to what is.
	safe bool
}

// run is bytes of one mark, from the end of the run before.
type run struct {
	end  int
	mark Mark
}

// NewText is s with one origin for all its bytes.
func NewText(s string, origin Origin) Text { return Text{s: s, mark: Mark{Origin: origin}} }

// written is text of the template or the program.
func written(s string) Text { return Text{s: s} }

// String is the text without its marks.
func (t Text) String() string { return t.s }

// Each calls f for each run of bytes with one mark, runs without bytes
// included.
func (t Text) Each(f func(s string, m Mark)) {
	if t.runs == nil {
		f(t.s, t.mark)
		return
	}
	from := 0
	for _, r := range t.runs {
		f(t.s[from:r.end], r.mark)
		from = r.end
	}
}

// slice is the bytes from i to j.
func (t Text) slice(i, j int) Text {
	if t.runs == nil {
		return Text{s: t.s[i:j], mark: t.mark, safe: t.safe}
	}
	first, _ := slices.BinarySearchFunc(t.runs, i+1, func(r run, end int) int { return r.end - end })
	first = min(first, len(t.runs)-1)
	if i == j || t.runs[first].end >= j {
		return Text{s: t.s[i:j], mark: t.runs[first].mark, safe: t.safe}
	}
	out := Text{s: t.s[i:j], safe: t.safe}
	for _, r := range t.runs[first:] {
		out.runs = append(out.runs, run{min(r.end, j) - i, r.mark})
		if r.end >= j {
			break
		}
	}
	return out
}

// mapped changes each run by itself; its mark stays.
func (t Text) mapped(f func(string) string) Text {
	if t.runs == nil {
		return Text{s: f(t.s), mark: t.mark, safe: t.safe}
	}
	var b builder
	t.Each(func(s string, m Mark) { b.add(f(s), m) })
	out := b.text()
	out.safe = t.safe
	return out
}

// foreign is the mark of the first byte that the template has not written.
func (t Text) foreign() (m Mark, ok bool) {
	t.Each(func(_ string, n Mark) {
		if !ok && n.Origin != 0 {
			m, ok = n, true
		}
	})
	return m, ok
}

// directed is t where from, which comes from an input, has decided what the
// program wrote: nothing of it counts as the program's.
func (t Text) directed(from Text) Text {
	m, ok := from.foreign()
	if !ok {
		return t
	}
	var b builder
	t.Each(func(s string, n Mark) {
		if n.Origin == 0 {
			n.Origin = m.Origin
		}
		b.add(s, n)
	})
	return b.text()
}

// generated marks all bytes as written inside a generation block.
func (t Text) generated() Text {
	t.mark.Generated = true
	t.runs = slices.Clone(t.runs)
	for i := range t.runs {
		t.runs[i].mark.Generated = true
	}
	return t
}

// builder joins texts.
type builder struct {
	buf  []byte
	runs []run
}

func (b *builder) add(s string, m Mark) {
	if s == "" && m == (Mark{}) {
		return
	}
	b.buf = append(b.buf, s...)
	if n := len(b.runs); n > 0 && b.runs[n-1].mark == m {
		b.runs[n-1].end = len(b.buf)
		return
	}
	b.runs = append(b.runs, run{len(b.buf), m})
}

// write adds text of the program.
func (b *builder) write(s string) { b.add(s, Mark{}) }

func (b *builder) append(t Text) {
	if t.runs == nil {
		b.add(t.s, t.mark)
		return
	}
	t.Each(b.add)
}

func (b *builder) len() int { return len(b.buf) }

func (b *builder) text() Text {
	t := Text{s: string(b.buf)}
	switch len(b.runs) {
	case 0:
	case 1:
		t.mark = b.runs[0].mark
	default:
		t.runs = slices.Clip(b.runs)
	}
	return t
}
