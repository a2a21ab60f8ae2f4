package drill

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/eval/report"
)

// SoakOptions say how long and how much; the zero value is a short drill.
type SoakOptions struct {
	Duration time.Duration // 0: 3 minutes
	Workers  int           // clients at a time; 0: 12
	Seed     uint64        // of what they do
	Progress func(done, total time.Duration)
}

// SoakReport is what came of a mixed load.
type SoakReport struct {
	Rows   []SoakRow `json:"rows"`   // of every tenth of the time
	Right  int       `json:"right"`  // answers that are those of a quiet server
	Wrong  []string  `json:"wrong"`  // those that are not, and faults
	Busy   int       `json:"busy"`   // 429, come again
	Aborts int       `json:"aborts"` // clients that went
	Slow   int       `json:"slow"`   // clients that hardly read
	Hoax   int       `json:"garbage"`
	After  []string  `json:"after"` // what is wrong with the server afterwards
}

// SoakRow is what the server said of itself.
type SoakRow struct {
	At         time.Duration `json:"at"`
	Answers    int           `json:"answers"`
	Resident   float64       `json:"resident"` // bytes
	Goroutines float64       `json:"goroutines"`
	Files      float64       `json:"files"`
}

const (
	soakRows  = 10
	warmUp    = 30 * time.Second // before which memory may grow
	growth    = 1.10             // of the resident memory after warm-up that is no leak
	slack     = 32 << 20         // bytes that are none either
	mostWrong = 20               // faults that are kept
)

// soak is a drill under way.
type soak struct {
	t         *Target
	questions []question
	kinds     []kind

	mu sync.Mutex
	r  *SoakReport
}

// Soak loads the server with clients that ask and check, go in the middle of an answer,
// read slowly or send garbage, and looks whether its memory stays.
func Soak(ctx context.Context, t *Target, o SoakOptions) (*SoakReport, error) {
	if o.Duration == 0 {
		o.Duration = 3 * time.Minute
	}
	if o.Workers == 0 {
		o.Workers = 12
	}
	s := &soak{t: t, r: &SoakReport{}}
	var err error
	if s.questions, err = t.questions(ctx, 12); err != nil {
		return nil, err
	}
	if s.kinds, err = t.kinds(ctx); err != nil {
		return nil, err
	}
	before, err := t.quiet(ctx)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	// Not a deadline: what knows of one may give up before the context has ended.
	load, stop := context.WithCancel(ctx)
	defer stop()
	defer time.AfterFunc(o.Duration, stop).Stop()
	var wg sync.WaitGroup
	for i := range o.Workers {
		wg.Go(func() {
			d := &draws{seed: o.Seed, stream: uint64(i)}
			for load.Err() == nil {
				s.turn(load, d)
			}
		})
	}
	for k := 1; k <= soakRows && ctx.Err() == nil; k++ {
		at := o.Duration * time.Duration(k) / soakRows
		select {
		case <-load.Done():
		case <-time.After(time.Until(start.Add(at)) - 10*time.Millisecond):
		}
		m, err := t.measure(ctx)
		if err != nil {
			s.wrong("%v", err)
		}
		s.mu.Lock()
		s.r.Rows = append(s.r.Rows, SoakRow{at, s.r.Right, m.resident, m.goroutines, m.files})
		s.mu.Unlock()
		if o.Progress != nil {
			o.Progress(at, o.Duration)
		}
	}
	wg.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.r.After = append(t.still(ctx, before, s.questions), s.r.grown()...)
	return s.r, nil
}

// grown says whether memory went on to grow after the warm-up: it was never again what
// it had been. A moment says little, as large requests and the collector come and go. A
// drill that is all warm-up says nothing.
func (r *SoakReport) grown() []string {
	if len(r.Rows) < soakRows || r.Rows[2].At < warmUp {
		return nil
	}
	resident := func(a, b SoakRow) int { return cmp.Compare(a.Resident, b.Resident) }
	early, late := slices.MaxFunc(r.Rows[2:5], resident).Resident, slices.MinFunc(r.Rows[7:], resident).Resident
	if late > early*growth+slack {
		return []string{fmt.Sprintf("resident memory grew from %.0f to %.0f MB after the warm-up", early/1e6, late/1e6)}
	}
	return nil
}

func (s *soak) wrong(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.r.Wrong) < mostWrong {
		s.r.Wrong = append(s.r.Wrong, fmt.Sprintf(format, args...))
	}
}

func (s *soak) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

// turn is one thing that a client does.
func (s *soak) turn(ctx context.Context, d *draws) {
	q := one(d, s.questions)
	switch n := d.below(100); {
	case n < 35:
		s.whole(ctx, q, d.below(2) == 0)
	case n < 65:
		s.events(ctx, q, 0, false)
	case n < 80:
		s.events(ctx, q, 1+d.below(4), false)
	case n < 85:
		s.events(ctx, q, 0, true)
	default:
		a := one(d, s.kinds).make(d)
		status, fault := s.t.attack(ctx, a)
		if ctx.Err() == nil && fault != "" && status != http.StatusTooManyRequests {
			s.wrong("garbage: %s", fault)
		}
		s.count(&s.r.Hoax)
	}
}

// whole asks and checks; again says that a kept answer will do.
func (s *soak) whole(ctx context.Context, q question, again bool) {
	r, err := s.t.request(ctx, http.MethodPost, q.path, encoded(q.body))
	if err != nil {
		s.wrong("%v", err)
		return
	}
	if again {
		r.Header.Del(cached)
	}
	status, _, body, err := s.t.send(r)
	var a answer
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.wrong("%s: %v", q.path, err)
	case status == http.StatusTooManyRequests:
		s.count(&s.r.Busy)
		time.Sleep(50 * time.Millisecond)
	case status != http.StatusOK:
		s.wrong("%s: status %d: %s", q.path, status, clip(body))
	case json.Unmarshal(body, &a) != nil:
		s.wrong("%s: no JSON: %s", q.path, clip(body))
	default:
		s.check(q, a.text)
	}
}

func (s *soak) check(q question, text func() (string, error)) {
	switch got, err := text(); {
	case err != nil:
		s.wrong("%s: %v", q.path, err)
	case got != q.want:
		s.wrong("%s says %q, a quiet server %q", q.path, got, q.want)
	default:
		s.count(&s.r.Right)
	}
}

// pause is how long a slow reader waits between lines.
const pause = 40 * time.Millisecond

// events asks for a stream. After so many lines the client goes; 0: it stays, and the
// text is checked.
func (s *soak) events(ctx context.Context, q question, goes int, slow bool) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := s.t.request(own, http.MethodPost, q.path, q.streamed())
	if err != nil {
		s.wrong("%v", err)
		return
	}
	a, err := s.t.http().Do(r)
	if err != nil {
		if ctx.Err() == nil {
			s.wrong("%s: %v", q.path, err)
		}
		return
	}
	defer a.Body.Close()
	if a.StatusCode == http.StatusTooManyRequests {
		s.count(&s.r.Busy)
		time.Sleep(50 * time.Millisecond)
		return
	}
	if a.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(a.Body, 1<<10))
		s.wrong("%s: status %d: %s", q.path, a.StatusCode, clip(body))
		return
	}
	var text strings.Builder
	lines := bufio.NewReader(a.Body)
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.wrong("%s: a stream broke off: %v", q.path, err)
			return
		case goes > 0 && n == goes:
			s.count(&s.r.Aborts)
			return
		}
		if slow {
			time.Sleep(pause)
		}
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if data == "[DONE]" {
			break
		}
		if !ok {
			continue
		}
		if err := addEvent(&text, data); err != nil {
			s.wrong("%s: %v", q.path, err)
			return
		}
	}
	if slow {
		s.count(&s.r.Slow)
	}
	if goes == 0 {
		s.check(q, func() (string, error) { return text.String(), nil })
	}
}

// addEvent puts the text of one in.
func addEvent(text *strings.Builder, data string) error {
	var a answer
	if err := json.Unmarshal([]byte(data), &a); err != nil {
		return fmt.Errorf("an event that is no JSON: %s", clip([]byte(data)))
	}
	if len(a.Error) > 0 {
		return errors.New("an error in a stream: " + clip(a.Error))
	}
	more, err := a.text()
	text.WriteString(more)
	return err
}

// Faults are all that went wrong.
func (r *SoakReport) Faults() []string { return slices.Concat(r.Wrong, r.After) }

// Table is the drill as text.
func (r *SoakReport) Table() report.Table {
	t := report.Table{
		Title:   "Soak",
		Note:    fmt.Sprintf("%d right answers, %d wrong; %d clients went, %d read slowly, %d sent garbage, %d were told to come again.", r.Right, len(r.Wrong), r.Aborts, r.Slow, r.Hoax, r.Busy),
		Columns: []report.Column{report.Right("time"), report.Right("right answers"), report.Right("resident MB"), report.Right("goroutines"), report.Right("files")},
	}
	for _, row := range r.Rows {
		t.Rows = append(t.Rows, report.Row{Cells: []string{row.At.Round(time.Second).String(), fmt.Sprint(row.Answers), fmt.Sprintf("%.1f", row.Resident/1e6), fmt.Sprint(row.Goroutines), fmt.Sprint(row.Files)}})
	}
	return t
}
