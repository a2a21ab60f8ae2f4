package chat

import "strings"

// CallReader takes calls out of an answer while it is written. The text must be of the
// form, as a grammar makes it (generate/grammar/calls).
type CallReader struct {
	form *CallForm

	state   callState
	pending string // what cannot be told yet
	skip    string // what must come before the state goes on
	next    callState
	calls   int
	begun   bool // the content has

	depth    int // of brackets in the arguments
	inString bool
	escaped  bool
}

type callState int

const (
	inContent callState = iota
	skipping            // over text of the form
	inName
	inArguments
	betweenCalls
)

// A CallEvent is what a piece of text adds to an answer.
type CallEvent struct {
	Content string // of the message, if Call is -1

	Call      int    // the number of the call, -1: none
	Name      string // with which it begins
	Arguments string // more of them
}

// NewCallReader reads an answer from its beginning.
func (f *CallForm) NewCallReader() *CallReader { return &CallReader{form: f} }

// Calls is the number of calls so far.
func (r *CallReader) Calls() int { return r.calls }

// Open says that the text ended within a call.
func (r *CallReader) Open() bool { return r.state == inName || r.state == inArguments || r.skip != "" }

// Write reads more of the text.
func (r *CallReader) Write(text string) []CallEvent { return r.read(text, false) }

// Close says that the text is over.
func (r *CallReader) Close() []CallEvent { return r.read("", true) }

func (r *CallReader) read(text string, last bool) (out []CallEvent) {
	r.pending += text
	for more := true; more; {
		switch r.state {
		case inContent:
			more = r.content(last, &out)
		case skipping:
			n := min(len(r.skip), len(r.pending))
			r.skip, r.pending = r.skip[n:], r.pending[n:]
			if more = r.skip == ""; more {
				r.state = r.next
			}
		case inName:
			name, rest, ok := strings.Cut(r.pending, r.form.Middle)
			if more = ok; ok {
				out = append(out, CallEvent{Call: r.calls, Name: name})
				r.pending, r.state, r.calls = rest, inArguments, r.calls+1
			}
		case inArguments:
			more = r.arguments(&out)
		case betweenCalls:
			more = r.between()
		}
	}
	return out
}

// goOn passes over text of the form.
func (r *CallReader) goOn(skip string, next callState) {
	r.state, r.skip, r.next = skipping, skip, next
}

// content shows text up to what may be the beginning of a call. White space before a
// call is not shown.
func (r *CallReader) content(last bool, out *[]CallEvent) (more bool) {
	trigger := r.form.Trigger
	at := strings.Index(r.pending, trigger)
	if r.form.First && r.pending != "" {
		if at = -1; !r.begun && r.pending[0] == trigger[0] {
			at = 0
		}
		trigger = ""
	}
	r.begun = r.begun || r.pending != ""
	if at >= 0 {
		r.show(strings.TrimRight(r.pending[:at], " \t\r\n"), out)
		r.pending = r.pending[at:]
		r.goOn(r.form.Begin+r.form.Open, inName)
		return true
	}
	end := len(r.pending)
	if last {
		r.show(r.pending, out)
		r.pending = ""
		return false
	}
	for k := min(len(trigger)-1, end); k > 0; k-- {
		if strings.HasSuffix(r.pending, trigger[:k]) {
			end -= k
			break
		}
	}
	end = len(strings.TrimRight(r.pending[:end], " \t\r\n"))
	r.show(r.pending[:end], out)
	r.pending = r.pending[end:]
	return false
}

func (r *CallReader) show(text string, out *[]CallEvent) {
	if text != "" {
		*out = append(*out, CallEvent{Content: text, Call: -1})
	}
}

// arguments shows a JSON object up to its end.
func (r *CallReader) arguments(out *[]CallEvent) (more bool) {
	for i := range len(r.pending) {
		b := r.pending[i]
		switch {
		case r.escaped:
			r.escaped = false
		case r.inString && b == '\\':
			r.escaped = true
		case b == '"':
			r.inString = !r.inString
		case r.inString:
		case b == '{' || b == '[':
			r.depth++
		case b == '}' || b == ']':
			if r.depth--; r.depth == 0 {
				*out = append(*out, CallEvent{Call: r.calls - 1, Arguments: r.pending[:i+1]})
				r.pending = r.pending[i+1:]
				r.goOn(r.form.Close, betweenCalls)
				return true
			}
		}
	}
	if r.pending != "" {
		*out = append(*out, CallEvent{Call: r.calls - 1, Arguments: r.pending})
		r.pending = ""
	}
	return false
}

// between finds out whether another call comes.
func (r *CallReader) between() (more bool) {
	f := r.form
	switch {
	case r.pending == "":
		return false
	case f.Between != "" && r.pending[0] == f.Between[0]:
		r.goOn(f.Between+f.Open, inName)
	default:
		r.goOn(f.Finish, betweenCalls)
		if f.Finish == "" {
			r.pending = "" // not of the form
			return false
		}
	}
	return true
}

// ReadCalls takes the calls out of a whole answer.
func (f *CallForm) ReadCalls(text string) (content string, calls []ToolCall) {
	r := f.NewCallReader()
	for _, e := range append(r.Write(text), r.Close()...) {
		switch {
		case e.Call < 0:
			content += e.Content
		case e.Name != "":
			calls = append(calls, ToolCall{Name: e.Name})
		default:
			calls[e.Call].Arguments += e.Arguments
		}
	}
	return content, calls
}
