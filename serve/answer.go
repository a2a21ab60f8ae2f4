package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
)

// job is the texts that a request asks for: n of each prompt, those of the first prompt
// first.
type job struct {
	model    *served
	fields   *writing
	prompts  [][]int32
	n        int
	options  generate.Options
	requests []generate.Request
	id       string
	created  int64
}

// usage counts tokens. A prompt counts once, however many texts it has.
type usage struct {
	Prompt     int           `json:"prompt_tokens"`
	Completion int           `json:"completion_tokens"`
	Total      int           `json:"total_tokens"`
	Details    promptDetails `json:"prompt_tokens_details"`
}

type promptDetails struct {
	Cached int `json:"cached_tokens"`
}

// format writes texts in the shape of an endpoint. Numbers of texts are those of
// job.requests.
type format interface {
	whole(results []*generate.Result, u usage) any
	first(i int) any // before a text; nil: nothing
	piece(i int, p generate.Piece) any
	end(i int, r *generate.Result) any
	used(u usage) any // behind all texts
}

// job makes ready what a request asks for. MaxTokens 0: no bound but the server's.
func (s *Server) job(m *served, f *writing, prefix string, prompts [][]int32, maxTokens *int, logProbs int, stops []int32) (*job, error) {
	dims := m.Bundle.Model.Dims()
	d, err := f.decoding(dims.Vocab)
	if err != nil {
		return nil, err
	}
	j := &job{model: m, fields: f, prompts: prompts, n: f.texts(), id: prefix + nonce(), created: time.Now().Unix()}
	if n := len(prompts); n > s.o.MaxTexts || j.n > s.o.MaxTexts/n {
		return nil, wrong("n", fmt.Sprintf("%d for each of %d prompts is more than the %d texts that a request may ask for", j.n, n, s.o.MaxTexts))
	}
	switch limit := s.o.MaxTokens; {
	case maxTokens == nil:
		d.MaxTokens = limit
	case *maxTokens < 1:
		return nil, wrong("max_tokens", "it must be 1 or more")
	case limit > 0 && *maxTokens > limit:
		return nil, wrong("max_tokens", fmt.Sprintf("%d, this server writes %d at most", *maxTokens, limit))
	default:
		d.MaxTokens = *maxTokens
	}
	if d.Grammar, err = m.compile(f); err != nil {
		return nil, err
	}
	for _, ids := range prompts {
		if len(ids) >= dims.Context {
			return nil, &Error{Message: fmt.Sprintf("the prompt has %d tokens and the context of the model is %d, which the answer needs a part of: shorten it", len(ids), dims.Context), Param: "prompt", Code: "context_length_exceeded"}
		}
		if err := j.add(ids, d, logProbs, stops); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// add puts the texts of one prompt in.
func (j *job) add(ids []int32, d foundling.Decoding, logProbs int, stops []int32) error {
	o := j.model.Options(d)
	o.LogProbs = logProbs
	if d.Grammar == nil && stops != nil {
		o.StopIDs = stops
	}
	ids, err := j.model.Begin(ids, d, &o)
	if err != nil {
		return asError(err, true)
	}
	texts, err := generate.Candidates(ids, o, j.n)
	if err != nil {
		return wrong("n", err.Error())
	}
	j.options, j.requests = o, append(j.requests, texts...)
	return nil
}

// answer writes the texts, whole or as they come.
func (s *Server) answer(w *reply, r *http.Request, j *job, f format) error {
	leave, err := j.model.queue.enter(len(j.requests))
	if err != nil {
		return err
	}
	defer leave()
	w.model = j.model.Name
	w.Header().Set("Foundling-Seed", strconv.FormatUint(j.options.Sample.Seed, 10))
	if names := j.fields.names(); len(names) > 0 {
		w.Header().Set("Foundling-Ignored", strings.Join(names, ", "))
	}
	if j.fields.streams() {
		return s.stream(w, r, j, f)
	}
	results, err := s.generate(r.Context(), j, nil)
	if err != nil {
		return err
	}
	w.usage = j.usage(results)
	s.wrote(w)
	s.deadline(w)
	writeJSON(w, http.StatusOK, f.whole(results, w.usage))
	return nil
}

// generate runs the texts through the engine, and measures.
func (s *Server) generate(ctx context.Context, j *job, yield func(i int, p generate.Piece) bool) ([]*generate.Result, error) {
	start := time.Now()
	seen := make([]bool, len(j.requests))
	last := make([]time.Time, len(j.requests))
	results, err := j.model.Engine.GenerateAll(ctx, j.requests, func(i int, p generate.Piece) bool {
		now := time.Now()
		if !seen[i] {
			s.meters.first.WithLabelValues(j.model.Name).Observe(now.Sub(start).Seconds())
		} else if p.ID >= 0 {
			s.meters.between.WithLabelValues(j.model.Name).Observe(now.Sub(last[i]).Seconds())
		}
		seen[i], last[i] = true, now
		return yield == nil || yield(i, p)
	})
	switch {
	case err == nil:
		return results, nil
	case ctx.Err() != nil && s.ready.Load():
		return results, &Error{Status: statusGone, Message: "the client has gone"}
	}
	return results, asError(err, results == nil)
}

// stream sends server-sent events, one for each piece of text.
func (s *Server) stream(w *reply, r *http.Request, j *job, f format) error {
	e := &events{w: w, s: s}
	begun := make([]bool, len(j.requests))
	begin := func(i int) bool {
		if begun[i] {
			return true
		}
		begun[i] = true
		v := f.first(i)
		return v == nil || e.send(v)
	}
	results, err := s.generate(r.Context(), j, func(i int, p generate.Piece) bool {
		if !begin(i) {
			return false
		}
		v := f.piece(i, p)
		return v == nil || e.send(v)
	})
	if err != nil && w.status == 0 {
		return err
	}
	w.usage = j.usage(results)
	s.wrote(w)
	if err != nil {
		e.send(asError(err, false).body())
		return err
	}
	for i, result := range results {
		if begin(i) {
			e.send(f.end(i, result))
		}
	}
	if o := j.fields.StreamOptions; o != nil && o.IncludeUsage {
		e.send(f.used(w.usage))
	}
	e.end()
	return nil
}

// wrote counts the tokens of an answer.
func (s *Server) wrote(w *reply) {
	s.meters.tokens.WithLabelValues(w.model, "prompt").Add(float64(w.usage.Prompt))
	s.meters.tokens.WithLabelValues(w.model, "completion").Add(float64(w.usage.Completion))
}

func (j *job) usage(results []*generate.Result) usage {
	var u usage
	for i, ids := range j.prompts {
		u.Prompt += len(ids)
		if k := i * j.n; k < len(results) {
			u.Details.Cached += results[k].Cached
		}
	}
	for _, r := range results {
		u.Completion += len(r.IDs)
	}
	u.Total = u.Prompt + u.Completion
	return u
}

// rest is the "usage" of an event that is not the last: null where one follows.
func (j *job) rest() json.RawMessage {
	if o := j.fields.StreamOptions; o != nil && o.IncludeUsage {
		return json.RawMessage("null")
	}
	return nil
}

// fingerprint names what the bits of a text depend on besides its seed.
func (m *served) fingerprint() string { return "foundling-" + m.Backend.Kernels() }

// finish is OpenAI's name for why a text ended.
func finish(r *generate.Result) string {
	switch r.Finish {
	case generate.FinishLength, generate.FinishContext, generate.FinishBudget, generate.FinishTime:
		return "length"
	}
	return "stop"
}

func nonce() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
