// Package drill tries a running server as bad days do: hostile requests, hours of mixed
// load with clients that go, wait or send garbage, and kills. It knows the server by
// its HTTP interface alone, so any address will do, and each drill ends in a table.
//
// Hostile, Soak and Kill are the drills. What they send is a function of a seed.
//
// Not here: figures of speed (foundling bench serve).
package drill

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/bits"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/foundling-lm/foundling/internal/rng"
)

// Target is the server under trial.
type Target struct {
	URL   string // http://HOST:PORT
	Model string // that is asked; "": the first
	Key   string // that it lets in; "": it asks for none
	Own   bool   // it is there for the drill alone, and may be given things to keep

	// Patience is how long one request may take: longer is a fault. 0: a minute.
	Patience time.Duration

	client *http.Client
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 16 << 20

func (t *Target) patience() time.Duration { return cmp.Or(t.Patience, time.Minute) }

func (t *Target) http() *http.Client {
	if t.client == nil {
		t.client = &http.Client{
			Timeout:       t.patience(),
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return t.client
}

// cached is the header by which a request says what it wants of kept answers: of its own
// accord a drill wants none, the models are to work.
const cached = "Foundling-Cache"

// request makes one, with the key.
func (t *Target) request(ctx context.Context, method, path string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, t.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set(cached, "bypass")
	if t.Key != "" {
		r.Header.Set("Authorization", "Bearer "+t.Key)
	}
	return r, nil
}

// send sends one and reads the answer.
func (t *Target) send(r *http.Request) (status int, header http.Header, body []byte, err error) {
	a, err := t.http().Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer a.Body.Close()
	body, err = io.ReadAll(io.LimitReader(a.Body, maxAnswer))
	return a.StatusCode, a.Header, body, err
}

// post sends a value as JSON; an answer other than 2xx is an error.
func (t *Target) post(ctx context.Context, path string, value, into any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	r, err := t.request(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	return t.read(r, into)
}

// read sends a request and reads the JSON of its answer.
func (t *Target) read(r *http.Request, into any) error {
	status, _, body, err := t.send(r)
	switch {
	case err != nil:
		return err
	case status/100 != 2:
		return fmt.Errorf("%s %s: status %d: %s", r.Method, r.URL.Path, status, clip(body))
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

// Ready waits until the server takes requests, and says how long that was.
func (t *Target) Ready(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	for {
		r, err := t.request(ctx, http.MethodGet, "/ready", nil)
		if err != nil {
			return 0, err
		}
		if status, _, _, err := t.send(r); err == nil && status == http.StatusOK {
			return time.Since(start), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%s was not ready: %w", t.URL, ctx.Err())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// question is a request whose answer is known: the same for a seed, whatever else the
// server does.
type question struct {
	path string
	body map[string]any
	want string // the text, of a quiet server
}

// questions are what drills ask to see whether answers are right. Those of /v1/chat are
// left out where the model knows no conversations.
func (t *Target) questions(ctx context.Context, n int) ([]question, error) {
	var out []question
	for i := range n {
		body := map[string]any{"prompt": fmt.Sprintf("Once upon a time %d", i), "max_tokens": 8 + 4*(i%6), "seed": 100 + i}
		q := question{path: "/v1/completions", body: body}
		switch i % 4 {
		case 1:
			body["choices"] = []string{"yes", "no", "maybe not"}
		case 2:
			body["temperature"] = 0
		case 3:
			delete(body, "prompt")
			q.path = "/v1/chat/completions"
			body["messages"] = []map[string]string{{"role": "user", "content": fmt.Sprintf("Number %d?", i)}}
		}
		if t.Model != "" {
			body["model"] = t.Model
		}
		var err error
		if q.want, err = t.ask(ctx, q); err != nil {
			if q.path == "/v1/chat/completions" && strings.Contains(err.Error(), "model_not_chat") {
				continue
			}
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// ask is the text that the server gives.
func (t *Target) ask(ctx context.Context, q question) (string, error) {
	var a answer
	if err := t.post(ctx, q.path, q.body, &a); err != nil {
		return "", err
	}
	return a.text()
}

// answer is what is read of one of either endpoint, or of an event.
type answer struct {
	Choices []struct {
		Text    string                    `json:"text"`
		Message struct{ Content string }  `json:"message"`
		Delta   struct{ Content *string } `json:"delta"`
	} `json:"choices"`
	Error json.RawMessage `json:"error"`
}

func (a *answer) text() (string, error) {
	if len(a.Choices) == 0 {
		return "", errors.New("an answer without choices")
	}
	c := a.Choices[0]
	text := c.Text + c.Message.Content
	if c.Delta.Content != nil {
		text += *c.Delta.Content
	}
	return text, nil
}

// streamed is the body of a question that is told in events.
func (q question) streamed() []byte {
	body := maps.Clone(q.body)
	body["stream"] = true
	data, err := json.Marshal(body)
	if err != nil {
		panic("drill: " + err.Error()) // plain data
	}
	return data
}

// measured is what the server says of itself.
type measured struct {
	goroutines, resident, files, texts float64
}

// measure reads /metrics.
func (t *Target) measure(ctx context.Context) (m measured, err error) {
	r, err := t.request(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return m, err
	}
	status, _, body, err := t.send(r)
	if err != nil {
		return m, err
	}
	if status != http.StatusOK {
		return m, fmt.Errorf("/metrics: status %d: %s", status, clip(body))
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(body))
	if err != nil {
		return m, fmt.Errorf("/metrics: %w", err)
	}
	for name, to := range map[string]*float64{
		"go_goroutines": &m.goroutines, "process_resident_memory_bytes": &m.resident, "process_open_fds": &m.files, "foundling_texts": &m.texts,
	} {
		for _, x := range families[name].GetMetric() {
			*to += x.GetGauge().GetValue()
		}
	}
	return m, nil
}

// quiet waits until no text is being written and measures then.
func (t *Target) quiet(ctx context.Context) (m measured, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.patience())
	defer cancel()
	for {
		t.http().CloseIdleConnections()
		if m, err = t.measure(ctx); err != nil || m.texts == 0 {
			return m, err
		}
		select {
		case <-ctx.Done():
			return m, fmt.Errorf("%g texts are still held though nobody waits for them", m.texts)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// clip is the beginning of an answer, for messages.
func clip(b []byte) string {
	const most = 160
	if len(b) > most {
		b = b[:most]
	}
	return strings.ToValidUTF8(string(b), "?")
}

// draws are random numbers in a row.
type draws struct{ seed, stream, index uint64 }

func (d *draws) uint64() uint64 {
	d.index++
	return rng.Uint64(d.seed, d.stream, d.index)
}

// below is a number in [0, n).
func (d *draws) below(n int) int {
	hi, _ := bits.Mul64(d.uint64(), uint64(n))
	return int(hi)
}

// one is an element of a list.
func one[T any](d *draws, list []T) T { return list[d.below(len(list))] }
