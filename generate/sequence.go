package generate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/cache"
)

// sequence is one text in the making. Its fields belong to whoever runs the
// step, those below mu to the engine's lock.
type sequence struct {
	o        Options
	ids      []int32 // prompt and new tokens, as far as they are in the context
	prompt   int     // length of the prompt
	made     int     // new tokens so far
	context  int     // tokens that ids may hold
	limit    int     // new tokens at most
	full     string  // the reason if that limit ends it
	until    time.Time
	sampler  *sample.Sampler
	guide    guide
	adapter  *adapter    // nil: none
	share    *share      // of its key
	chunk    int         // tokens that it reads in this step
	kv       *cache.Seq  // nil until it takes part
	leader   *sequence   // with the same prompt, whose pages it will share
	follow   []*sequence // those whose leader it is
	text     holdback
	draft    draftState
	ahead    []int32          // guesses of this step
	dists    [][]sample.Token // what they were drawn from, with rejection
	drawn    []int32          // ids of this step
	logProbs []float64        // of drawn
	forced   []bool           // of drawn: the constraint left no choice
	details  []*Detail        // of drawn
	reading  bool             // this step began with tokens that were not drawn from logits
	result   Result
	shown    strings.Builder

	err error

	driver *driver

	// mu
	pieces    []Piece // not taken yet
	finished  bool
	cancelled bool
}

func (e *Engine) newSequence(prompt []int32, o Options) (*sequence, error) {
	if err := e.check(prompt, o); err != nil {
		return nil, err
	}
	sampler, err := e.sampler(o.Sample)
	if err != nil {
		return nil, err
	}
	s := &sequence{o: o, prompt: len(prompt), sampler: sampler, text: holdback{stops: o.Stop, calm: calm{NoStop: o.NoStop}, skip: o.SkipBytes, blank: o.SkipBlank}, context: e.m.Dims().Context, reading: true, adapter: e.adapter}
	if o.StopRegex != "" {
		if s.text.find, err = newFinder(o.StopRegex); err != nil {
			return nil, fmt.Errorf("stop regex: %w", err)
		}
	}
	if o.TimeLimit > 0 {
		s.until = time.Now().Add(o.TimeLimit)
	}
	s.bound()
	if err := e.pool.Check(s.tokens()); err != nil {
		return nil, err
	}
	if s.guide, err = newGuide(&o, e.m.Dims().Vocab, s.limit); err != nil {
		return nil, err
	}
	if s.guide.complete {
		s.result.Finish, s.finished = FinishComplete, true
	}
	s.result.StopID = -1
	s.ids = append(make([]int32, 0, len(prompt)+min(s.limit, 256)), prompt...)
	return s, nil
}

// bound finds the limit that will end the text first.
func (s *sequence) bound() {
	s.limit, s.full = s.context-s.prompt, FinishContext
	if s.o.Context == ContextShift {
		s.limit = math.MaxInt
	}
	if n := s.o.MaxTokens; n > 0 && n <= s.limit {
		s.limit, s.full = n, FinishLength
	}
	if n := s.o.Budget; n > 0 && n < s.limit {
		s.limit, s.full = n, FinishBudget
	}
}

// tokens is the most that the cache will hold of the sequence.
func (s *sequence) tokens() int { return s.prompt + min(s.limit, s.context-s.prompt) }

// new is the number of new tokens so far.
func (s *sequence) new() int { return s.made }

// room is how many tokens a step may go on with behind the last one.
func (s *sequence) room() int { return s.tokens() - len(s.ids) }

// decodes says that all tokens but the last have been through the model.
func (s *sequence) decodes() bool { return s.kv.Len() == len(s.ids)-1 && s.new() > 0 }

// reads says that the prompt is not through the model yet.
func (s *sequence) reads() bool { return s.new() == 0 }

// unread is how many tokens have not been through the model.
func (s *sequence) unread() int { return len(s.ids) - s.kv.Len() }

// next is the next id; i counts those before it in this step. Right says that it
// is what the step went on with.
func (s *sequence) next(logits []float32, i int) (id int32, right bool) {
	guessed := i < len(s.ahead)
	id, forced := s.guide.next()
	s.forced = append(s.forced, forced)
	if forced {
		s.forcedDetail(logits, id)
		return id, guessed && id == s.ahead[i]
	}
	at := s.at(&s.guide, s.drawn)
	s.detail(logits, at)
	if guessed && s.dists != nil {
		id, right = s.sampler.Verify(logits, at, s.ahead[i], s.dists[i])
	} else {
		id = s.sampler.Sample(logits, at)
		right = guessed && id == s.ahead[i]
	}
	s.chose(id)
	return id, right
}

// at is the place of the draw after the ids that the sequence has and more.
func (s *sequence) at(g *guide, more []int32) sample.At {
	return sample.At{
		Mask: g.mask, History: append(s.ids, more...),
		Stream: s.o.Stream, Index: s.o.FirstDraw + uint64(s.new()+len(more)),
	}
}

// take adds the j-th drawn id to the sequence and says whether it ends with it.
// Pieces go to out.
func (s *sequence) take(e *Engine, j int, logProb float64, out *[]Piece) (ended bool) {
	id := s.drawn[j]
	if id < 0 {
		s.err = ErrNoLogits
		return true
	}
	if slices.Contains(s.o.StopIDs, id) {
		s.result.StopID, s.result.StopLogProb = id, logProb
		s.end(FinishStop, out)
		return true
	}
	s.ids = append(s.ids, id)
	s.made++
	s.share.rows++
	s.result.IDs = append(s.result.IDs, id)
	s.result.LogProbs = append(s.result.LogProbs, logProb)
	text, ok := s.o.Spell[id]
	if !ok {
		text = e.bytes(id)
	}
	show, by := s.text.push(text)
	s.shown.WriteString(show)
	p := Piece{ID: id, Text: show, LogProb: logProb, Forced: s.forced[j], Chosen: e.step.chosen}
	if s.o.LogProbs > 0 {
		p.Detail = s.details[j]
		s.result.Details = append(s.result.Details, p.Detail)
	}
	*out = append(*out, p)
	if s.forced[j] {
		s.result.Forced++
	}
	switch {
	case by.why != "":
		s.result.Finish, s.result.Stopped = by.why, by.text
		return true
	case s.guide.complete && s.guide.accepted == s.new():
		s.end(FinishComplete, out)
		return true
	case s.new() == s.limit && s.full == FinishContext && s.o.Context == ContextFail:
		s.end(s.full, out)
		s.err = &ContextError{Prompt: s.prompt, New: s.new(), Context: s.context}
		return true
	case s.new() == s.limit:
		s.end(s.full, out)
		return true
	}
	return false
}

// end says why, and shows the text that was held back.
func (s *sequence) end(why string, out *[]Piece) {
	s.result.Finish = why
	if rest := s.text.flush(); rest != "" {
		s.shown.WriteString(rest)
		*out = append(*out, Piece{ID: -1, Text: rest})
	}
}

// leave gives the sequence's memory and its share back.
func (e *Engine) leave(s *sequence) {
	e.shares.leave(s.share)
	if s.kv != nil {
		s.kv.Close()
		s.kv = nil
	}
	s.draft.close()
	for _, f := range s.follow {
		f.leader = nil
	}
	s.follow = nil
}
