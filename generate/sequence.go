package generate

import (
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/model/cache"
)

// sequence is one text in the making. Its fields belong to whoever runs the
// step, those below mu to the engine's lock.
type sequence struct {
	o       Options
	ids     []int32 // prompt and new tokens
	prompt  int     // length of the prompt
	limit   int     // new tokens at most
	full    string  // the reason if that limit ends it
	sampler *sample.Sampler
	guide   guide
	kv      *cache.Seq  // nil until it takes part
	leader  *sequence   // with the same prompt, whose pages it will share
	follow  []*sequence // those whose leader it is
	text    holdback
	draft   draftState
	ahead   []int32          // guesses of this step
	dists   [][]sample.Token // what they were drawn from, with rejection
	drawn   []int32          // ids of this step
	forced  []bool           // of drawn: the constraint left no choice
	pressed bool             // this step began with such an id
	result  Result
	shown   strings.Builder

	err error

	// mu
	pieces    []Piece // not taken yet
	finished  bool
	cancelled bool
}

func (e *Engine) newSequence(prompt []int32, o Options) (*sequence, error) {
	sampler, err := sample.New(o.Sample)
	if err != nil {
		return nil, err
	}
	if err := e.check(prompt, o); err != nil {
		return nil, err
	}
	s := &sequence{o: o, prompt: len(prompt), sampler: sampler, text: holdback{stops: o.Stop}}
	s.limit, s.full = e.m.Dims().Context-len(prompt), FinishContext
	if o.MaxTokens > 0 && o.MaxTokens <= s.limit {
		s.limit, s.full = o.MaxTokens, FinishLength
	}
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

// tokens is the most that the sequence may come to have.
func (s *sequence) tokens() int { return s.prompt + s.limit }

// new is the number of new tokens so far.
func (s *sequence) new() int { return len(s.ids) - s.prompt }

// decodes says that all tokens but the last have been through the model.
func (s *sequence) decodes() bool { return s.kv.Len() == len(s.ids)-1 && s.new() > 0 }

// reads says that the prompt is not through the model yet.
func (s *sequence) reads() bool { return s.new() == 0 }

// next is the next id; i counts those before it in this step. Right says that it
// is what the step went on with.
func (s *sequence) next(logits []float32, i int) (id int32, right bool) {
	guessed := i < len(s.ahead)
	id, forced := s.guide.next()
	s.forced = append(s.forced, forced)
	if forced {
		return id, guessed && id == s.ahead[i]
	}
	s.guide.restrict(logits)
	if guessed && s.dists != nil {
		return s.verify(logits, i)
	}
	id = s.draw(logits, i)
	return id, guessed && id == s.ahead[i]
}

// draw chooses the next id from logits; i counts the tokens drawn before it in
// this step.
func (s *sequence) draw(logits []float32, i int) int32 {
	return s.sampler.Sample(logits, s.o.Stream, s.o.FirstDraw+uint64(s.new()+i))
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
	s.result.IDs = append(s.result.IDs, id)
	s.result.LogProbs = append(s.result.LogProbs, logProb)
	show, stopped := s.text.push(e.bytes(id))
	s.shown.WriteString(show)
	*out = append(*out, Piece{id, show, logProb, s.forced[j]})
	if s.forced[j] {
		s.result.Forced++
	}
	switch {
	case stopped:
		s.result.Finish = FinishStop
		return true
	case s.guide.complete && s.guide.accepted == s.new():
		s.end(FinishComplete, out)
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

// leave gives the sequence's memory back.
func (s *sequence) leave() {
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
