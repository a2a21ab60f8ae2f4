package drill

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/foundling-lm/foundling/eval/report"
)

// HostileOptions say how many requests are sent; the zero value is a short drill.
type HostileOptions struct {
	Requests int    // 0: 10000
	Workers  int    // at a time; 0: 8
	Seed     uint64 // of what is sent
	Progress func(done, total int)
}

// HostileReport is what came of hostile requests.
type HostileReport struct {
	Kinds []HostileKind `json:"kinds"`
	After []string      `json:"after"` // what is wrong with the server afterwards
}

// HostileKind is those of one kind.
type HostileKind struct {
	Name     string      `json:"name"`
	Sent     int         `json:"sent"`
	Statuses map[int]int `json:"statuses"` // 0: the connection was closed
	Wrong    int         `json:"wrong"`
	Examples []string    `json:"examples,omitempty"` // of wrong ones
}

// attack is one hostile request: a body for a path, or bytes for the wire.
type attack struct {
	method, path string
	header       http.Header
	body         []byte
	raw          []byte // in place of all else
	// cut says that the server may answer and close before all was sent. A client that is
	// slow to read the answer finds the connection reset.
	cut bool
	// want says what is wrong with the answer, "" if nothing; nil: refused.
	want func(status int, body []byte) string
}

// refused is what most attacks must be.
func refused(status int, body []byte) string {
	if status >= 400 && status < 500 {
		return ""
	}
	return fmt.Sprintf("status %d: %s", status, clip(body))
}

// harmless allows an answer but no fault.
func harmless(status int, body []byte) string {
	if status >= 200 && status < 500 {
		return ""
	}
	return fmt.Sprintf("status %d: %s", status, clip(body))
}

// Hostile sends hostile requests of every kind, checks each answer, and then that the
// server is what it was.
func Hostile(ctx context.Context, t *Target, o HostileOptions) (*HostileReport, error) {
	if o.Requests == 0 {
		o.Requests = 10000
	}
	if o.Workers == 0 {
		o.Workers = 8
	}
	kinds, err := t.kinds(ctx)
	if err != nil {
		return nil, err
	}
	questions, err := t.questions(ctx, 8)
	if err != nil {
		return nil, err
	}
	before, err := t.quiet(ctx)
	if err != nil {
		return nil, err
	}
	h := &HostileReport{Kinds: make([]HostileKind, len(kinds))}
	for i, k := range kinds {
		h.Kinds[i] = HostileKind{Name: k.name, Statuses: map[int]int{}}
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan int)
	for range o.Workers {
		wg.Go(func() {
			for i := range next {
				k := i % len(kinds)
				a := kinds[k].make(&draws{seed: o.Seed, stream: uint64(i)})
				status, fault := t.attack(ctx, a)
				mu.Lock()
				h.Kinds[k].add(status, fault)
				mu.Unlock()
			}
		})
	}
	for i := 0; i < o.Requests && ctx.Err() == nil; i++ {
		next <- i
		if o.Progress != nil {
			o.Progress(i+1, o.Requests)
		}
	}
	close(next)
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	h.After = t.still(ctx, before, questions)
	return h, nil
}

const maxExamples = 3

func (k *HostileKind) add(status int, fault string) {
	k.Sent++
	k.Statuses[status]++
	if fault == "" {
		return
	}
	k.Wrong++
	if len(k.Examples) < maxExamples {
		k.Examples = append(k.Examples, fault)
	}
}

// attack sends one and says what is wrong with what came back.
func (t *Target) attack(ctx context.Context, a attack) (status int, fault string) {
	var body []byte
	var err error
	if a.raw != nil {
		status, body, err = t.wire(ctx, a.raw)
	} else {
		var r *http.Request
		if r, err = t.request(ctx, a.method, a.path, a.body); err != nil {
			return 0, "the drill itself: " + err.Error()
		}
		for name, values := range a.header {
			r.Header[name] = values
			if name == "Host" {
				r.Host = values[0]
			}
		}
		status, _, body, err = t.send(r)
	}
	sent := a.body
	if a.raw != nil {
		sent = a.raw
	}
	switch {
	case err != nil && a.cut && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)):
		return 0, "" // refused
	case err != nil:
		return 0, fmt.Sprintf("%s %s %q: %v", a.method, a.path, clip(sent), err)
	case status == 0: // closed without a word: refused
		return 0, ""
	}
	want := a.want
	if want == nil {
		want = refused
	}
	if fault = want(status, body); fault != "" {
		fault = fmt.Sprintf("%s %s %.200v %q: %s", a.method, a.path, a.header, clip(sent), fault)
	}
	return status, fault
}

// wire writes bytes to the server's port and reads the first answer; status 0: the
// connection was closed without one.
func (t *Target) wire(ctx context.Context, raw []byte) (status int, body []byte, err error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return 0, nil, err
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return 0, nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(t.patience()))
	if _, err := c.Write(raw); err != nil {
		return 0, nil, nil // closed while it was being told
	}
	c.(*net.TCPConn).CloseWrite()
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return 0, nil, fmt.Errorf("no answer in %v", t.patience())
		}
		return 0, nil, nil
	}
	rest, _ := io.ReadAll(io.LimitReader(c, 1<<10))
	parts := strings.Fields(line)
	if len(parts) < 2 || !strings.HasPrefix(parts[0], "HTTP/") {
		return 0, nil, fmt.Errorf("an answer that begins with %q", clip([]byte(line)))
	}
	status, err = strconv.Atoi(parts[1])
	return status, rest, err
}

// leeway is how many goroutines and files more than before are nothing: those of the
// connection that measures, of timers, of the collector.
const leeway = 12

// still says what is not as before a drill.
func (t *Target) still(ctx context.Context, before measured, questions []question) (faults []string) {
	after, err := t.quiet(ctx)
	for deadline := time.Now().Add(20 * time.Second); err == nil && after.goroutines > before.goroutines+leeway && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond) // connections are noticed to be closed
		after, err = t.quiet(ctx)
	}
	if err != nil {
		return []string{err.Error()}
	}
	if after.goroutines > before.goroutines+leeway {
		faults = append(faults, fmt.Sprintf("%g goroutines, %g before", after.goroutines, before.goroutines))
	}
	if after.files > before.files+leeway {
		faults = append(faults, fmt.Sprintf("%g open files, %g before", after.files, before.files))
	}
	for _, q := range questions {
		if got, err := t.ask(ctx, q); err != nil {
			faults = append(faults, err.Error())
		} else if got != q.want {
			faults = append(faults, fmt.Sprintf("%s says %q, before %q", q.path, got, q.want))
		}
	}
	return faults
}

// Faults are all that went wrong.
func (h *HostileReport) Faults() (all []string) {
	for _, k := range h.Kinds {
		if k.Wrong > 0 {
			all = append(all, fmt.Sprintf("%s: %d of %d answered wrongly, as %s", k.Name, k.Wrong, k.Sent, k.Examples[0]))
		}
	}
	return append(all, h.After...)
}

// Table is the drill as text.
func (h *HostileReport) Table() report.Table {
	t := report.Table{
		Title: "Hostile requests", Note: "Status 0: the connection was closed without an answer.",
		Columns: []report.Column{report.Left("kind"), report.Right("sent"), report.Right("wrong"), report.Left("statuses")},
	}
	sent, wrong := 0, 0
	for _, k := range h.Kinds {
		var statuses []string
		var keys []int
		for s := range k.Statuses {
			keys = append(keys, s)
		}
		slices.Sort(keys)
		for _, s := range keys {
			statuses = append(statuses, fmt.Sprintf("%d: %d", s, k.Statuses[s]))
		}
		t.Rows = append(t.Rows, report.Row{Cells: []string{k.Name, strconv.Itoa(k.Sent), strconv.Itoa(k.Wrong), strings.Join(statuses, ", ")}})
		sent, wrong = sent+k.Sent, wrong+k.Wrong
	}
	t.Rows = append(t.Rows, report.Row{Cells: []string{"all", strconv.Itoa(sent), strconv.Itoa(wrong), ""}, Tone: report.Accent})
	return t
}
