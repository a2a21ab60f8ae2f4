package serve

import (
	"net/http"
	"time"

	"github.com/foundling-lm/foundling/generate"
)

// events are server-sent events (HTML, "Server-sent events"), as OpenAI's clients read
// them: a JSON text each, [DONE] at the end.
type events struct {
	w   *reply
	err error // of the first write that went wrong
}

// several is events that come together.
type several []any

// send says whether the client takes more. Events that have a name are sent with it.
func (e *events) send(v any) bool {
	name := ""
	switch v := v.(type) {
	case several:
		for _, one := range v {
			if !e.send(one) {
				return false
			}
		}
		return e.err == nil
	case interface{ event() string }:
		name = v.event()
	}
	return e.write(name, marshal(v)) // which ends in a newline
}

func (e *events) end() { e.write("", []byte("[DONE]\n")) }

func (e *events) write(name string, data []byte) bool {
	if e.err != nil {
		return false
	}
	if e.w.status == 0 {
		h := e.w.Header()
		h.Set("Content-Type", "text/event-stream")
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no") // proxies are not to collect
		e.w.WriteHeader(http.StatusOK)
	}
	event := make([]byte, 0, len(data)+len(name)+16)
	if name != "" {
		event = append(append(append(event, "event: "...), name...), '\n')
	}
	event = append(append(append(event, "data: "...), data...), '\n')
	if _, e.err = e.w.Write(event); e.err == nil {
		c := http.NewResponseController(e.w)
		e.err = c.Flush()
		c.SetWriteDeadline(time.Time{}) // the next token may take long, and with HTTP/2 time runs while nothing is written
	}
	return e.err == nil
}

// telling is an answer on its way, in events.
type telling struct {
	events
	f     format
	j     *job
	begun []bool // by text
}

func newTelling(w *reply, f format, j *job) *telling {
	return &telling{events{w: w}, f, j, make([]bool, len(j.requests))}
}

// begin sends what comes before text i, once.
func (t *telling) begin(i int) bool {
	if t.begun[i] {
		return true
	}
	t.begun[i] = true
	v := t.f.first(i)
	return v == nil || t.send(v)
}

// piece says whether the client takes more.
func (t *telling) piece(i int, p generate.Piece) bool {
	if !t.begin(i) {
		return false
	}
	v := t.f.piece(i, p)
	return v == nil || t.send(v)
}

// end sends what comes behind the texts.
func (t *telling) end(texts []*text) {
	for i, x := range texts {
		if t.begin(i) {
			t.send(t.f.end(i, x))
		}
	}
	if o := t.j.fields.StreamOptions; o != nil && o.IncludeUsage {
		t.send(t.f.used(t.w.usage))
	}
	if _, ok := t.f.(*responseAnswer); !ok { // those say by an event of their own that they are over
		t.events.end()
	}
}

// fail sends what went wrong behind the first events.
func (t *telling) fail(e *Error) {
	if a, ok := t.f.(*responseAnswer); ok {
		t.send(a.failed(e))
		return
	}
	t.send(e.body())
}

// replay sends texts that are there already.
func (t *telling) replay(texts []*text) {
	for i, x := range texts {
		for _, p := range x.pieces {
			if !t.piece(i, p) {
				return
			}
		}
	}
	t.end(texts)
}
