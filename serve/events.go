package serve

import (
	"net/http"
	"time"
)

// events are server-sent events (HTML, "Server-sent events"), as OpenAI's clients read
// them: a JSON text each, [DONE] at the end.
type events struct {
	w   *reply
	s   *Server
	err error // of the first write that went wrong
}

// send says whether the client takes more.
func (e *events) send(v any) bool { return e.write(marshal(v)) } // which ends in a newline

func (e *events) end() { e.write([]byte("[DONE]\n")) }

func (e *events) write(data []byte) bool {
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
	c := e.s.deadline(e.w)
	event := make([]byte, 0, len(data)+8)
	event = append(append(append(event, "data: "...), data...), '\n')
	if _, e.err = e.w.Write(event); e.err == nil {
		e.err = c.Flush()
	}
	return e.err == nil
}

// deadline gives the client time to take what is written next.
func (s *Server) deadline(w http.ResponseWriter) *http.ResponseController {
	c := http.NewResponseController(w)
	c.SetWriteDeadline(time.Now().Add(s.o.WriteTimeout)) // recorders of tests have none
	return c
}
