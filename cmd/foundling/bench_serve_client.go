package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// benchServer is a server in a process of its own.
type benchServer struct {
	url    string
	ours   bool // it is foundling, which knows its own fields and meters
	client *http.Client
	ps     *exec.Cmd
}

// startServer starts foundling serve with a model.
func (c *benchCmd) startServer(ctx context.Context, file string) (*benchServer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"serve", "--model", file, "--addr", "127.0.0.1:0", "--quiet", "--no-page", "--database", "none", "--cache-bytes", "4G", "--threads", strconv.Itoa(c.Threads)}
	if c.Kernels != "" {
		args = append(args, "--kernels", c.Kernels)
	}
	ps := exec.CommandContext(ctx, self, args...)
	ps.Stderr = os.Stderr
	out, err := ps.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := ps.Start(); err != nil {
		return nil, err
	}
	s := newBenchServer("", ps)
	s.ours = true
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, rest, ok := strings.Cut(lines.Text(), "serving on "); ok {
			s.url, _, _ = strings.Cut(rest, ",")
			go io.Copy(io.Discard, out)
			return s, nil
		}
	}
	s.stop()
	return nil, errors.New("foundling serve ended before it was ready")
}

// startOther starts llama.cpp's server with the same file, threads and number of slots.
func (c *benchCmd) startOther(ctx context.Context, file string) (*benchServer, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	threads := c.Threads
	if threads == 0 {
		b, err := c.backend()
		if err != nil {
			return nil, err
		}
		threads = b.Threads()
		b.Close()
	}
	context := serveClients * (longPrompt + besideTokens + firstPrompt)
	ps := exec.CommandContext(ctx, c.Against, "-m", file, "--host", "127.0.0.1", "--port", port, "-np", strconv.Itoa(serveClients),
		"-c", strconv.Itoa(context), "-t", strconv.Itoa(threads), "-tb", strconv.Itoa(threads))
	var said bytes.Buffer
	ps.Stderr = &said
	if err := ps.Start(); err != nil {
		return nil, fmt.Errorf("--against: %w", err)
	}
	s := newBenchServer("http://127.0.0.1:"+port, ps)
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		r, err := s.client.Get(s.url + "/health")
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode == http.StatusOK {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("--against: %s is not ready after two minutes: %s", c.Against, said.Bytes()[max(0, said.Len()-500):])
}

// newBenchServer keeps connections shorter than servers do (llama.cpp's 5 s): a POST on one
// that is being closed is not sent again.
func newBenchServer(url string, ps *exec.Cmd) *benchServer {
	return &benchServer{url: url, ps: ps, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * serveClients, IdleConnTimeout: time.Second}}}
}

// stop ends the process.
func (s *benchServer) stop() {
	s.client.CloseIdleConnections()
	s.ps.Process.Kill()
	s.ps.Wait()
}

// ask streams a text and calls token at each event that has some.
func (w *workload) ask(ctx context.Context, prompt []int32, tokens int, seed uint64, token func(at time.Time) error) error {
	bias := map[string]float64{}
	for _, id := range w.ends {
		bias[strconv.Itoa(int(id))] = -100
	}
	body := map[string]any{"prompt": prompt, "max_tokens": tokens, "temperature": 1, "seed": seed, "stream": true, "logit_bias": bias}
	if !w.server.ours {
		body["cache_prompt"], body["ignore_eos"] = false, true
		for k, v := range map[string]any{"top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 1} {
			body[k] = v
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.server.url+"/v1/completions", bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	a, err := w.server.client.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	lines := bufio.NewReaderSize(a.Body, 64<<10)
	if a.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(lines)
		return fmt.Errorf("the server answers %d: %s", a.StatusCode, text)
	}
	for {
		line, err := lines.ReadString('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case strings.HasPrefix(line, "error:"), strings.HasPrefix(line, `data: {"error"`):
			return fmt.Errorf("the stream ends with %s", line)
		case !strings.HasPrefix(line, "data: {"):
			continue
		}
		if err := token(time.Now()); err != nil {
			return err
		}
	}
}

// together is the rate of n clients whose texts begin and end together. Every text has
// its whole length: that is what is counted.
func (w *workload) together(ctx context.Context, n int) (float64, error) {
	errs := make([]error, n)
	rate, _ := rateOf(float64(n*serveTokens), func() error {
		var all sync.WaitGroup
		for i := range n {
			prompt, seed := w.prompt(servePrompt), w.asked
			all.Go(func() {
				errs[i] = w.ask(ctx, prompt, serveTokens, seed, func(time.Time) error { return nil })
			})
		}
		all.Wait()
		return nil
	})
	return rate, errors.Join(errs...)
}

// besides is what was seen of a prompt that came in beside others, in milliseconds.
type besides struct {
	first        []float64 // until the first token of a short prompt
	before, gaps []float64 // between tokens of the others: before the long prompt, and during it
	long         float64   // until the first token of the long prompt
}

// beside lets 31 clients decode while prompts come in: short ones for d, then a long one.
func (w *workload) beside(ctx context.Context, d time.Duration) (*besides, error) {
	ctx, cancel := context.WithCancel(ctx)
	var mu sync.Mutex
	var gaps []float64
	var all sync.WaitGroup
	errs := make([]error, serveClients-1)
	begun := make(chan struct{}, serveClients)
	defer all.Wait()
	defer cancel()
	for i := range errs {
		prompt, seed := w.prompt(servePrompt), w.asked
		all.Go(func() {
			defer func() { begun <- struct{}{} }()
			var last time.Time
			errs[i] = w.ask(ctx, prompt, besideTokens, seed, func(at time.Time) error {
				if last.IsZero() {
					begun <- struct{}{}
				} else {
					mu.Lock()
					gaps = append(gaps, float64(at.Sub(last))/1e6)
					mu.Unlock()
				}
				last = at
				return nil
			})
		})
	}
	for range errs {
		<-begun
	}
	taken := func() []float64 {
		mu.Lock()
		defer mu.Unlock()
		out := gaps
		gaps = nil
		return out
	}
	b := &besides{}
	first := func(n int) (float64, error) {
		start, took := time.Now(), 0.0
		err := w.ask(ctx, w.prompt(n), 1, w.asked, func(at time.Time) error {
			if took == 0 {
				took = float64(at.Sub(start)) / 1e6
			}
			return nil
		})
		return took, err
	}
	time.Sleep(d / 10)
	b.before = taken()
	for start := time.Now(); len(b.first) < 3 || time.Since(start) < d; {
		x, err := first(firstPrompt)
		if err != nil {
			return nil, err
		}
		if b.first = append(b.first, x); len(b.first) == besideTokens/8 {
			break // the others must not end
		}
	}
	taken()
	var err error
	if b.long, err = first(longPrompt); err != nil {
		return nil, err
	}
	b.gaps = taken()
	for _, err := range errs {
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
	}
	return b, nil
}

// delivery is how long tokens of n clients took from their choice until they were
// written, as the server's meter saw it, in milliseconds.
func (w *workload) delivery(ctx context.Context, n int) (p50, p99 float64, err error) {
	before, err := w.meter(ctx)
	if err != nil {
		return 0, 0, err
	}
	for range max(1, 4/n) {
		if _, err := w.together(ctx, n); err != nil {
			return 0, 0, err
		}
	}
	after, err := w.meter(ctx)
	if err != nil {
		return 0, 0, err
	}
	for i := range after {
		after[i].count -= before[i].count
	}
	return 1e3 * quantileOf(after, 0.5), 1e3 * quantileOf(after, 0.99), nil
}

// bucket is one of a histogram: how many were at most so long.
type bucket struct{ most, count float64 }

// meter reads the server's histogram of deliveries.
func (w *workload) meter(ctx context.Context) (all []bucket, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.server.url+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	a, err := w.server.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	for lines := bufio.NewScanner(a.Body); lines.Scan(); {
		rest, ok := strings.CutPrefix(lines.Text(), "foundling_delivery_seconds_bucket{")
		if !ok {
			continue
		}
		_, rest, _ = strings.Cut(rest, `le="`)
		most, count, _ := strings.Cut(rest, `"} `)
		var b bucket
		if b.most, err = strconv.ParseFloat(most, 64); err != nil {
			return nil, err
		}
		if b.count, err = strconv.ParseFloat(count, 64); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// quantileOf interpolates the quantile q of a histogram.
func quantileOf(all []bucket, q float64) float64 {
	if len(all) == 0 {
		return 0
	}
	rank := q * all[len(all)-1].count
	var from, below float64
	for _, b := range all {
		if b.count >= rank {
			if b.count == below {
				return from
			}
			return from + (b.most-from)*(rank-below)/(b.count-below)
		}
		from, below = b.most, b.count
	}
	return from
}
