package serve

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/serve/store"
	"github.com/foundling-lm/foundling/text/chat"
)

// job is the texts that a request asks for: n of each prompt, those of the first prompt
// first.
type job struct {
	model    *served
	fields   *writing
	prompts  [][]int32
	n        int // of each prompt in the answer
	drawn    int // of each prompt that are written
	choosers choosers
	options  generate.Options
	requests []generate.Request
	judge    *judge                                                     // nil: nothing is judged
	doubt    func(p int, text string, others []string) ([]int32, error) // asks whether an answer to prompt p is true
	buffered bool                                                       // nothing is shown before all texts are there: they are judged, or chosen from
	room     int                                                        // of the context for new tokens, where a request asks for more; 0: it does not
	id       string
	created  int64
	place    *place // what is held of the model's queue; nil: nothing yet

	recollection *recollection // of the same request; nil: none, and nothing is to be kept
	reminded     bool          // what is known of the user was looked up
	facts        []store.Fact  // that were found, and are in the prompt

	asked    [][]chat.Message // what the texts of each prompt answer
	choosing int              // the prompt whose texts are chosen from
	left     []*text          // those that are not in the answer
	notes    *notes           // nil: none
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

// text is one that was written, and what is known of it.
type text struct {
	*generate.Result
	pieces []generate.Piece // as they came
	known  *judgement       // nil: nothing
}

// format writes texts in the shape of an endpoint.
type format interface {
	whole(texts []*text, u usage) any
	first(i int) any // before a text; nil: nothing
	piece(i int, p generate.Piece) any
	end(i int, t *text) any
	used(u usage) any // behind all texts
}

// job makes ready what a request asks for. MaxTokens 0: no bound but the server's.
func (s *Server) job(m *served, f *writing, prefix string, prompts [][]int32, maxTokens *int, logProbs int, stops []int32) (*job, error) {
	if err := m.writes(); err != nil {
		return nil, err
	}
	dims := m.Bundle.Model.Dims()
	d, err := f.decoding(dims.Vocab)
	if err != nil {
		return nil, err
	}
	j := &job{model: m, fields: f, prompts: prompts, n: f.texts(), id: prefix + nonce(), created: time.Now().Unix()}
	if j.drawn, j.choosers, err = f.candidates(func(name string) (search.Score, error) { return s.reward(j, name) }); err != nil {
		return nil, err
	}
	if n := len(prompts); n > s.o.MaxTexts || j.drawn > s.o.MaxTexts/n {
		field := "n"
		if j.drawn > j.n {
			field = "best_of"
		}
		return nil, wrong(field, fmt.Sprintf("%d for each of %d prompts is more than the %d texts that a request may ask for", j.drawn, n, s.o.MaxTexts))
	}
	j.buffered = j.choosers.best != nil
	if err := j.trusts(f, s.o.MaxTexts); err != nil {
		return nil, err
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
	if most := d.MaxTokens; most > 0 && d.MinTokens > most && !f.onlyPrompt {
		return nil, wrong("min_tokens", fmt.Sprintf("%d, more than the %d tokens that the text may have: lower it or raise that limit", d.MinTokens, most))
	}
	if d.TimeLimit, err = s.timeLimit(f); err != nil {
		return nil, err
	}
	if d.Grammar, err = m.compile(f); err != nil {
		return nil, err
	}
	for _, ids := range prompts {
		if len(ids) >= dims.Context {
			return nil, noRoom("prompt", len(ids), dims.Context)
		}
		if err := j.add(ids, d, logProbs, stops); err != nil {
			return nil, err
		}
	}
	return j, nil
}

// noRoom is the error of a prompt behind which the context has no room.
func noRoom(field string, tokens, context int) *Error {
	e := wrong(field, fmt.Sprintf("%d tokens, the context of the model is %d, which the answer needs a part of: shorten it", tokens, context))
	e.Code = "context_length_exceeded"
	return e
}

// timeLimit is what the texts of a request may take, 0 for as long as they do.
func (s *Server) timeLimit(f *writing) (time.Duration, error) {
	if f.Timeout == nil {
		return s.o.Timeout, nil
	}
	limit := max(1, time.Duration(*f.Timeout*float64(time.Second)))
	if most := s.o.Timeout; most > 0 && limit > most {
		return 0, wrong("timeout", fmt.Sprintf("%v, this server gives texts %v at most", limit, most))
	}
	return limit, nil
}

// add puts the texts of one prompt in.
func (j *job) add(ids []int32, d foundling.Decoding, logProbs int, stops []int32) error {
	dims, o := j.model.Bundle.Model.Dims(), j.model.Options(d)
	o.LogProbs = logProbs
	j.fields.calling.unstopped(&o)
	if d.Grammar == nil && stops != nil {
		o.StopIDs = stops
	}
	ids, err := j.model.Begin(ids, d, &o)
	if err != nil {
		return asError(err, true)
	}
	if err := j.fields.prefix(&o, len(ids), dims.Context, dims.Vocab); err != nil {
		return err
	}
	if room := j.model.Engine.Room() - len(ids); o.MaxTokens == 0 && room < dims.Context-len(ids) {
		o.MaxTokens = max(1, room) // nobody asked for more than the memory holds
	}
	if room := dims.Context - len(ids); o.MaxTokens > room && (j.room == 0 || room < j.room) {
		j.room = room
	}
	texts, err := generate.Candidates(ids, o, j.drawn)
	if err != nil {
		return wrong("n", err.Error())
	}
	j.options, j.requests = o, append(j.requests, texts...)
	return nil
}

// answer writes the texts, whole or as they come.
func (s *Server) answer(w *reply, r *http.Request, j *job, f format) error {
	if j.place == nil {
		j.place = j.model.queue.place(callerOf(r.Context()).Name)
		defer j.place.leave()
	}
	if err := s.recall(w, r, j); err != nil {
		return err
	}
	if !j.found() || j.judge != nil {
		if err := j.place.hold(j.places()); err != nil {
			return err
		}
	}
	w.model = j.model.Name
	w.Header().Set("Foundling-Seed", strconv.FormatInt(int64(j.options.Sample.Seed), 10))
	if names := s.unused(j); len(names) > 0 {
		w.Header().Set("Foundling-Ignored", strings.Join(names, ", "))
	}
	if j.room > 0 {
		w.Header().Set("Foundling-Max-Tokens", strconv.Itoa(j.room))
	}
	if p, ok := f.(interface{ prepare(context.Context) error }); ok {
		if err := p.prepare(r.Context()); err != nil {
			return err
		}
	}
	if j.fields.streams() && !j.buffered {
		return s.stream(w, r, j, f)
	}
	texts, err := s.texts(r.Context(), j, nil)
	if err != nil {
		return err
	}
	w.usage = j.usage(texts)
	s.wrote(w)
	if j.fields.streams() {
		newTelling(w, f, j).replay(texts)
		return nil
	}
	writeJSON(w, http.StatusOK, f.whole(texts, w.usage))
	return nil
}

// unused are the fields of a request that change nothing here.
func (s *Server) unused(j *job) []string {
	names := append(j.fields.names(), j.fields.more...)
	if j.reminded {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "user" })
	} else if j.fields.Memory.used() {
		names = append(names, "memory")
	}
	if j.fields.Cache != nil && s.o.Caching.Cache == nil {
		names = append(names, "cache")
	}
	return names
}

// texts is what a request asked for. The engine writes it, and yield sees it come.
func (s *Server) texts(ctx context.Context, j *job, yield func(i int, p generate.Piece) bool) ([]*text, error) {
	texts, err := s.generate(ctx, j, yield)
	if err != nil {
		return texts, err
	}
	if texts, err = j.choose(ctx, texts); err != nil {
		return nil, err
	}
	return j.judged(ctx, texts)
}

// generate runs the texts through the engine, and measures. With an error it returns
// what there is, nil if nothing was begun.
func (s *Server) generate(ctx context.Context, j *job, yield func(i int, p generate.Piece) bool) ([]*text, error) {
	for i := range j.requests {
		j.requests[i].Key = callerOf(ctx).Name
	}
	m := j.recollection
	if j.recollection = nil; m != nil && m.found != nil { // once: other texts may be asked for after these
		return m.replay(yield)
	}
	start := time.Now()
	texts := make([]*text, len(j.requests))
	for i := range texts {
		texts[i] = &text{}
	}
	if j.fields.onlyPrompt {
		for i := range texts {
			texts[i].Result = &generate.Result{StopID: -1, Finish: generate.FinishLength}
		}
		return texts, nil
	}
	first, last := make([]time.Time, len(j.requests)), make([]time.Time, len(j.requests))
	results, err := j.model.Engine.GenerateAll(ctx, j.requests, func(i int, p generate.Piece) bool {
		now := time.Now()
		if last[i].IsZero() {
			first[i] = now
			s.meters.first.WithLabelValues(j.model.Name).Observe(now.Sub(start).Seconds())
		} else if p.ID >= 0 {
			s.meters.between.WithLabelValues(j.model.Name).Observe(now.Sub(last[i]).Seconds())
		}
		last[i] = now
		texts[i].pieces = append(texts[i].pieces, p)
		if yield == nil {
			return true
		}
		more := yield(i, p)
		if p.ID >= 0 {
			s.meters.delivery.WithLabelValues(j.model.Name).Observe(time.Since(p.Chosen).Seconds())
		}
		return more
	})
	if results == nil {
		texts = nil
	}
	for i, r := range results {
		texts[i].Result = r
		s.parts(ctx, i, start, r.Began, first[i], last[i])
	}
	switch {
	case err != nil:
		return texts, s.failed(ctx, err, results == nil)
	case late(results):
		return nil, &Error{Status: http.StatusGatewayTimeout, Message: "timeout: the time was over before a text began", Param: "timeout", Code: "timeout"}
	}
	if m != nil {
		s.remember(ctx, j, m, texts)
	}
	return texts, nil
}

// late says that time ended all texts before they began.
func late(results []*generate.Result) bool {
	return !slices.ContainsFunc(results, func(r *generate.Result) bool { return r.Finish != generate.FinishTime || len(r.IDs) > 0 })
}

// stream sends the texts as they come.
func (s *Server) stream(w *reply, r *http.Request, j *job, f format) error {
	t := newTelling(w, f, j)
	texts, err := s.texts(r.Context(), j, t.piece)
	if err != nil && w.status == 0 {
		return err
	}
	w.usage = j.usage(texts)
	s.wrote(w)
	if err != nil {
		t.fail(asError(err, false))
		return err
	}
	t.end(texts)
	return nil
}

// wrote counts the tokens of an answer.
func (s *Server) wrote(w *reply) {
	s.meters.tokens.WithLabelValues(w.model, "prompt").Add(float64(w.usage.Prompt))
	s.meters.tokens.WithLabelValues(w.model, "completion").Add(float64(w.usage.Completion))
}

func (j *job) usage(texts []*text) usage {
	var u usage
	for i, ids := range j.prompts {
		u.Prompt += len(ids)
		if k := i * j.n; k < len(texts) {
			u.Details.Cached += texts[k].Cached
		}
	}
	for _, t := range slices.Concat(texts, j.left) {
		u.Completion += len(t.IDs)
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
func finish(t *text) string {
	switch t.Finish {
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
