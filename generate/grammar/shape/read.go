package shape

// A local is a position within the innermost text: a gap between parts, a literal, a
// number, a string or a name. Locals are interned; those of gaps and literals are the
// same for all machines.
type local struct {
	kind kind
	id   int32
	next [4]*[64]*local // of strings and names, what speller.step found

	rest string // of a literal
	set  []*digits
	by   [14]*local // of a number: where characters lead

	speller  *speller
	point    int32
	to       int32 // the point that all characters lead to, or -1
	part     partial
	shortest int32 // of a number: cost of its rest; -1: not computed
}

type kind uint8

const (
	atOpen  kind = iota // behind an opening bracket
	atComma             // behind a comma
	atColon             // before a colon
	atValue             // before a value
	atAfter             // behind a value
	inLiteral
	inNumber
	inString
	inName
)

// Locals that all machines share have ids below 0.
var (
	open     = &local{kind: atOpen, id: -1}
	comma    = &local{kind: atComma, id: -2}
	colon    = &local{kind: atColon, id: -3}
	before   = &local{kind: atValue, id: -4}
	after    = &local{kind: atAfter, id: -5}
	literals = map[string]*local{}
	// dead is where bytes lead that no text has.
	dead = &local{id: -6}
)

func init() {
	for _, word := range []string{"true", "false", "null"} {
		for i := 1; i < len(word); i++ {
			if literals[word[i:]] == nil {
				literals[word[i:]] = &local{kind: inLiteral, id: -7 - int32(len(literals)), rest: word[i:]}
			}
		}
	}
}

// A thread is one way to read a beginning of a text.
type thread struct {
	frame *frame
	local *local
	name  *word // in a name of a class: what was read of it
	n     int32 // characters of a string; of a gap, see gap
	rec   *word // in an item of a unique array: its text so far, byte by byte
}

// step appends the threads that a byte leads to.
func (m *Machine) step(out []thread, t thread, b byte) []thread {
	l := t.local
	switch l.kind {
	case inLiteral:
		switch {
		case b != l.rest[0]:
			return out
		case len(l.rest) == 1:
			return m.leave(out, t, t.frame, string(b))
		}
		return append(out, thread{frame: t.frame, local: literals[l.rest[1:]]})
	case inNumber:
		if char := numberByte(b); char < 14 {
			if to := m.digit(l, char); to != dead {
				out = append(out, thread{frame: t.frame, local: to})
			}
			return out
		}
		if !accepts(l.set) {
			return out
		}
		for _, t := range m.leave(nil, t, t.frame, "") {
			out = m.step(out, t, b)
		}
		return out
	case inString:
		return m.inString(out, t, b)
	case inName:
		return m.inName(out, t, b)
	}
	if isSpace(b) {
		if n, ok := m.gap(t, b); ok {
			out = append(out, thread{frame: t.frame, local: l, n: n})
		}
		return out
	}
	switch l.kind {
	case atValue:
		return m.begin(out, t.frame, b)
	case atColon:
		if b == ':' {
			out = append(out, thread{frame: t.frame, local: before})
		}
		return out
	}
	switch {
	case t.frame.array != nil:
		return m.inArray(out, t, b)
	case t.frame.object != nil:
		return m.inObject(out, t, b)
	}
	return out // behind the whole text
}

// leave appends the thread behind a value of the frame f, which t has read, the last
// byte aside. An item of a unique array must be a new one. The thread's record is put
// right by recorded.
func (m *Machine) leave(out []thread, t thread, f *frame, last string) []thread {
	to := m.done(f)
	if f.unique == f {
		to = nil
		if t.rec == m.unknown {
			if f.items != nil {
				m.doubt = true
				return out
			}
			to = m.added(f, unread)
		} else if value, ok := t.rec.value(last); ok {
			to = m.added(f, value)
		}
		if to == nil {
			return out
		}
	}
	return append(out, thread{frame: to, local: after, rec: t.rec})
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// gap reads white space: n is 0 at the beginning of a gap. Serialised counts 1 for a
// blank, 2 for a carriage return, 3 for a line break and one more for each blank
// behind; Loose counts characters.
func (m *Machine) gap(t thread, b byte) (n int32, ok bool) {
	switch {
	case m.format.Space == Compact || t.frame.above == nil:
		return 0, false
	case m.format.Space == Loose:
		return t.n + 1, t.n < MaxLoose
	case t.n == 0 && b == ' ':
		return 1, true
	case t.local.kind == atColon:
		return 0, false
	case t.n == 0 && b == '\r':
		return 2, true
	case (t.n == 0 || t.n == 2) && b == '\n':
		return 3, true
	}
	return t.n + 1, t.n >= 3 && t.n < 3+MaxIndent && (b == ' ' || b == '\t')
}

// begin reads the first byte of a value of the frame's plan.
func (m *Machine) begin(out []thread, f *frame, b byte) []thread {
	p, room := f.reading, f.room()
	switch b {
	case 'n', 't', 'f':
		v := p.value
		if b == 'n' && v.Null || b == 't' && v.True || b == 'f' && v.False {
			rest := map[byte]string{'n': "ull", 't': "rue", 'f': "alse"}[b]
			out = append(out, thread{frame: f, local: literals[rest]})
		}
	case '"':
		if p.phrase != nil {
			out = append(out, thread{frame: f, local: p.phrase.at(0)})
		}
	case '[':
		for _, a := range p.arrays {
			if a.height <= room {
				out = append(out, thread{frame: m.frame(frameKey{above: m.done(f), array: a}), local: open})
			}
		}
	case '{':
		for _, o := range p.objects {
			if o.height <= room {
				out = append(out, thread{frame: m.frame(frameKey{above: m.done(f), object: o}), local: open})
			}
		}
	default:
		if char := numberByte(b); char < 14 && p.numbers != nil {
			if to := m.digit(p.numbers, char); to != dead {
				out = append(out, thread{frame: f, local: to})
			}
		}
	}
	return out
}

func (m *Machine) inString(out []thread, t thread, b byte) []thread {
	l, p := t.local, t.frame.reading.phrase
	if b == '"' && l.part.form == whole {
		if p.ends(l.point, int(t.n)) {
			out = m.leave(out, t, t.frame, `"`)
		}
		return out
	}
	to := p.step(l, b)
	if to == dead {
		return out
	}
	n := t.n
	if p.counted {
		if to.part.form == whole {
			n = min(n+1, int32(p.most))
		}
		if !p.liveAt(to, int(n)) {
			return out
		}
	}
	return append(out, thread{frame: t.frame, local: to, n: n})
}

// inArray reads the byte behind an opening bracket, a comma or an item.
func (m *Machine) inArray(out []thread, t thread, b byte) []thread {
	f, p := t.frame, t.frame.array
	index := int(f.count)
	if t.local == after || t.local == open && b == ']' {
		switch {
		case b == ']' && p.mayClose(index, f.tally):
			out = m.leave(out, t, f.above, "]")
		case b == ',' && t.local == after && f.items != nil && f.items.value == unread:
			m.doubt = true
		case b == ',' && t.local == after && m.another(f):
			out = append(out, thread{frame: f, local: comma})
		}
		return out
	}
	for _, o := range m.choices(f) {
		k := f.frameKey
		k.reading, k.count = o.plan, p.counted(index+1)
		k.tally, _ = p.add(f.tally, o.counts)
		out = m.begin(out, m.frame(k), b)
	}
	return out
}

// another says whether an item may follow a comma.
func (m *Machine) another(f *frame) bool {
	if !f.array.Unique {
		return len(m.choices(f)) > 0
	}
	next, ok := m.newItem(f, int(f.count), f.items)
	if !ok {
		return false
	}
	k := f.frameKey
	k.count = f.array.counted(int(f.count) + 1)
	k.items = m.item(f.items, next.value)
	return m.closingUnique(m.frame(k)) < never
}

// choices are the ways to read one more item.
func (m *Machine) choices(f *frame) []option {
	p := f.array
	all := p.place(int(f.count))
	fits := func(o option) bool {
		if !o.plan.may(f.room()) {
			return false
		}
		to, ok := p.add(f.tally, o.counts)
		return ok && (len(p.Counts) == 0 || p.closing(p.least, costs{room: f.room()}, int(f.count)+1, to) < never)
	}
	for i, o := range all {
		if fits(o) {
			continue
		}
		some := append([]option(nil), all[:i]...)
		for _, o := range all[i+1:] {
			if fits(o) {
				some = append(some, o)
			}
		}
		return some
	}
	return all
}

// inObject reads the byte behind an opening brace, a comma or a property.
func (m *Machine) inObject(out []thread, t thread, b byte) []thread {
	f := t.frame
	switch {
	case b == '}' && t.local != comma:
		if f.mayClose() {
			out = m.leave(out, t, f.above, "}")
		}
	case f.seal != (seal{}) && b == ',' && t.local == after:
		m.doubt = m.doubt || f.seal.comma == commaDoubt || f.used.has(m.unknown)
		if f.seal.comma == commaYes {
			out = append(out, thread{frame: f, local: comma})
		}
	case f.seal != (seal{}) && b == '"' && t.local == comma:
		out = append(out, thread{frame: f, local: f.object.naming.at(0), name: m.noName})
	case b == ',' && t.local == after:
		if f.used.has(m.unknown) {
			m.doubt = true
		} else if f.nameLive(f.object.naming.at(0), m.noName) {
			out = append(out, thread{frame: f, local: comma})
		}
	case b == '"' && t.local != after:
		if l := f.object.naming.at(0); f.nameLive(l, m.noName) {
			out = append(out, m.named(thread{frame: f, local: l, name: m.noName}))
		}
	}
	return out
}

// mayClose says whether an object may end.
func (f *frame) mayClose() bool {
	n := f.names()
	return len(n.owed) == 0 && n.fill == 0
}

// named drops the record of a name where no class is followed any more.
func (m *Machine) named(t thread) thread {
	if t.name == nil || t.local.part.form != whole {
		return t
	}
	if t.frame.names().others {
		for _, q := range t.frame.object.naming.points[t.local.point].states {
			if q >= 0 {
				return t
			}
		}
	}
	t.name = nil
	return t
}

func (m *Machine) inName(out []thread, t thread, b byte) []thread {
	l, f, g := t.local, t.frame, t.frame.object.naming
	if f.seal != (seal{}) && t.name != m.unknown {
		m.doubt = true
		return out
	}
	if b == '"' && l.part.form == whole {
		return m.endName(out, t)
	}
	to := g.step(l, b)
	if to == dead {
		return out
	}
	name := t.name
	if name != nil {
		if to.part.form == whole {
			name = m.character(name, l, b)
		} else {
			name = m.word(name, -1-rune(b))
		}
	}
	begin := name
	for begin != nil && begin.r < 0 {
		begin = begin.before
	}
	if !f.nameLive(to, begin) {
		return out
	}
	return append(out, m.named(thread{frame: f, local: to, name: name}))
}

// endName reads the quotation mark behind a name.
func (m *Machine) endName(out []thread, t thread) []thread {
	f, g := t.frame, t.frame.object.naming
	n := f.names()
	if i := g.ending(t.local.point); i >= 0 {
		if n.has(i) {
			out = append(out, thread{frame: m.declare(f, i), local: colon})
		}
		return out
	}
	if t.name == nil || !n.others {
		return out
	}
	for i, q := range g.points[t.local.point].states {
		c := g.classes[i]
		if c.accepts(q) && c.value.may(f.room()) && !f.used.has(t.name) {
			out = append(out, thread{frame: m.use(f, i, t.name), local: colon})
		}
	}
	return out
}

// declare is the frame with declared name i, before its value.
func (m *Machine) declare(f *frame, i int32) *frame {
	k := f.frameKey
	k.seen, k.count, k.reading = withBit(f.seen, i), f.object.counted(f.count+1), f.object.declared[i].plan
	return m.frame(k)
}

// use is the frame with a name of class i, before its value.
func (m *Machine) use(f *frame, i int, name *word) *frame {
	u := usedKey{f.used, name, int32(i)}
	if m.used[u] == nil {
		m.used[u] = &used{before: u.before, name: name, class: u.class, id: m.ids.next()}
	}
	k := f.frameKey
	k.used, k.count, k.reading = m.used[u], f.object.counted(f.count+1), f.object.classes[i].value
	return m.frame(k)
}

// word interns a word with one more node.
func (m *Machine) word(before *word, r rune) *word {
	if before.size < 0 {
		return before // unknown, whatever follows
	}
	k := wordKey{before, r}
	w, ok := m.words[k]
	if !ok {
		w = &word{before: before, r: r, id: m.ids.next(), size: before.size + 1, escaped: before.escaped || r == '\\'}
		m.words[k] = w
	}
	return w
}

// character is the word behind a character that byte b, read at l, completes.
func (m *Machine) character(w *word, l *local, b byte) *word {
	if w.size < 0 {
		return w // unknown, whatever follows
	}
	spelled := []byte{b}
	for ; w.r < 0; w = w.before {
		spelled = append(spelled, byte(-1-w.r))
	}
	return m.word(w, spelledRune(spelled))
}
