package posttrain

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/near"
)

// Attempt is one demonstration that a model tried to make. Attempt i is a function
// of the seed and i, whatever is generated beside it.
type Attempt struct {
	Number int          `json:"attempt"` // from 0
	Source string       `json:"source"`  // of the prompt, or of the tasks that it was made after
	Prompt dataset.Text `json:"prompt"`
	Answer string       `json:"answer"`
	Finish string       `json:"finish"` // as in generate.Result
	Tokens int          `json:"tokens"` // generated, the prompt's included where the model made it
	Pass   bool         `json:"pass"`   // says the judge
	Score  float64      `json:"score"`
	Why    string       `json:"why,omitempty"` // it does not pass
}

// Synthesis makes demonstrations with a model: answers to given prompts, or both
// after the example of given tasks (Wang et al. 2022, Self-Instruct, arXiv
// 2212.10560).
type Synthesis struct {
	Writer  *Writer
	Engine  *generate.Engine
	Options generate.Options // of answers
	Seed    uint64           // chooses the example tasks
	Prompts []dataset.Record // prompts in turn; or, if Tasks, the example tasks
	Tasks   bool
	// Judge says what an answer is worth. An error refuses the attempt; one after
	// another ends the run.
	Judge func(ctx context.Context, prompt string, c *search.Candidate) (search.Verdict, error)
	// Progress is told of tokens.
	Progress func()

	unjudged int // attempts in a row without a verdict
}

// Why there is no answer to judge.
const (
	unfinished    = "unfinished"
	noInstruction = "no instruction"
)

// tasksShown is the number of example tasks before the one that the model makes
// up, and most of whose words are shown.
const (
	tasksShown = 4
	taskWords  = 60
)

// Attempts makes attempts first to first+n-1 in one batch.
func (s *Synthesis) Attempts(ctx context.Context, first, n int) ([]Attempt, error) {
	out := make([]Attempt, n)
	for i := range out {
		out[i].Number = first + i
		if !s.Tasks {
			r := s.Prompts[(first+i)%len(s.Prompts)]
			out[i].Source, out[i].Prompt = r.Source, r.Prompt
		}
	}
	if s.Tasks {
		if err := s.instructions(ctx, out); err != nil {
			return nil, err
		}
	}
	return out, s.answers(ctx, out)
}

// instructions has the model make up the prompts.
func (s *Synthesis) instructions(ctx context.Context, out []Attempt) error {
	o := s.Options
	o.Stop, o.Constraint, o.MaxTokens = []string{"\n"}, nil, instructionTokens
	var requests []generate.Request
	var of []int
	for i := range out {
		a := &out[i]
		ids, sources := s.fitting(a.Number)
		if a.Source = sources; ids == nil {
			a.Why = noInstruction
			continue
		}
		r := generate.Request{Prompt: ids, Options: o}
		r.Stream = uint64(2 * a.Number)
		requests, of = append(requests, r), append(of, i)
	}
	if len(requests) == 0 {
		return ctx.Err()
	}
	results, err := s.Engine.GenerateAll(ctx, requests, s.yield)
	if err != nil {
		return err
	}
	for k, r := range results {
		a := &out[of[k]]
		a.Tokens += len(r.IDs)
		text := strings.TrimSpace(strings.ToValidUTF8(r.Text, "\uFFFD"))
		if text == "" || r.Finish != generate.FinishString && r.Finish != generate.FinishStop {
			a.Why = noInstruction
			continue
		}
		a.Prompt = dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleUser, Content: text}}}
	}
	return nil
}

// instructionTokens bounds an instruction that the model makes up.
const instructionTokens = 64

// fitting are as many example tasks as leave room in the context; nil: not one does.
func (s *Synthesis) fitting(attempt int) (ids []int32, sources string) {
	for shown := min(tasksShown, len(s.Prompts)); shown > 0; shown-- {
		var prompt string
		prompt, sources = s.examples(attempt, shown)
		ids = s.Writer.text(prompt)
		if len(ids)+instructionTokens <= s.Writer.z.Model.Dims().Context {
			return ids, sources
		}
	}
	return nil, sources
}

// examples is a list of tasks for the model to go on with, and where they stand.
func (s *Synthesis) examples(attempt, shown int) (prompt, sources string) {
	var b strings.Builder
	var from []string
	used := map[int]bool{}
	b.WriteString("A list of different tasks:\n")
	for k := range shown {
		at := rng.Intn(s.Seed, rng.Stream("example tasks"), uint64(attempt*tasksShown+k), len(s.Prompts))
		for used[at] {
			at = (at + 1) % len(s.Prompts)
		}
		used[at] = true
		r := s.Prompts[at]
		words := strings.Fields(r.Question())
		fmt.Fprintf(&b, "%d. %s\n", k+1, strings.Join(words[:min(taskWords, len(words))], " "))
		from = append(from, r.Source)
	}
	fmt.Fprintf(&b, "%d.", len(from)+1)
	return b.String(), strings.Join(from, " ")
}

func (s *Synthesis) yield(int, generate.Piece) bool {
	if s.Progress != nil {
		s.Progress()
	}
	return true
}

// answers has the model answer the prompts, and asks the judge.
func (s *Synthesis) answers(ctx context.Context, out []Attempt) error {
	var requests []generate.Request
	var of []int
	for i := range out {
		a := &out[i]
		if a.Why != "" {
			continue
		}
		ids, err := s.Writer.Prompt(a.Prompt, 1)
		if err != nil {
			a.Why = err.Error()
			continue
		}
		r := generate.Request{Prompt: ids, Options: s.Options}
		r.Stream = uint64(2*a.Number + 1)
		requests, of = append(requests, r), append(of, i)
	}
	if len(requests) == 0 {
		return ctx.Err()
	}
	results, err := s.Engine.GenerateAll(ctx, requests, s.yield)
	if err != nil {
		return err
	}
	for k, r := range results {
		a := &out[of[k]]
		a.Answer, a.Finish = strings.ToValidUTF8(r.Text, "\uFFFD"), r.Finish
		a.Tokens += len(r.IDs)
		c := search.FromResult(r)
		if !c.Complete() {
			a.Why = unfinished
			continue
		}
		v, err := s.Judge(ctx, a.Prompt.String(), &c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // of one attempt, unless it goes on
			if s.unjudged++; s.unjudged >= hopeless {
				return fmt.Errorf("%d attempts in a row got no verdict, lastly: %w", s.unjudged, err)
			}
			a.Why = err.Error()
			continue
		}
		s.unjudged = 0
		a.Pass, a.Score, a.Why = v.Pass, v.Score, v.Why
	}
	return nil
}

// text is a plain beginning for the model to go on with.
func (w *Writer) text(s string) []int32 {
	return w.z.Tokenizer.EncodeAppend(slices.Clone(w.z.Start()), s)
}

// Sieve keeps attempts that pass and are new. It takes them in the order of their
// numbers, and says the same of the same attempts.
type Sieve struct {
	Attempts int            `json:"attempts"`
	Kept     int            `json:"kept"`
	Tokens   int            `json:"tokens"`
	Refused  map[string]int `json:"refused"` // by reason
	Reasons  []string       `json:"examples,omitempty"`
	// Score is the mean of the kept ones, as the judge graded them.
	Score float64 `json:"mean_score"`

	index        *near.Index
	instructions *near.Index // nil: prompts are given and may recur
	exact        map[string]bool
	prompts      []string
	answers      []string
	sumScore     float64
	verdicts     map[string]bool
}

// NewSieve returns a sieve. With tasks, the instructions that made-up prompts were
// made after, it also refuses a prompt that is nearly one of them or of the kept.
func NewSieve(o near.Options, tasks []string) *Sieve {
	s := &Sieve{Refused: map[string]int{}, index: near.NewIndex(o), exact: map[string]bool{}, verdicts: map[string]bool{}}
	if tasks != nil {
		s.instructions = near.NewIndex(o)
	}
	for _, t := range tasks {
		s.instructions.Add(t)
	}
	return s
}

func normal(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }

// Keep counts an attempt, and tells whether it is kept.
func (s *Sieve) Keep(a Attempt) bool {
	s.Attempts++
	s.Tokens += a.Tokens
	prompt := a.Prompt.String()
	whole := prompt + "\n" + a.Answer
	reason := ""
	switch {
	case a.Why == unfinished || a.Why == noInstruction:
		reason = a.Why
	case strings.TrimSpace(a.Answer) == "" && a.Finish != "":
		reason = "empty"
	case !a.Pass:
		reason = "refused by the judge"
		if a.Finish == "" {
			reason = "the prompt cannot be used"
		}
		if !s.verdicts[a.Why] && len(s.Reasons) < 5 && a.Why != "" {
			s.verdicts[a.Why] = true
			s.Reasons = append(s.Reasons, a.Why)
		}
	case s.exact[normal(whole)]:
		reason = "repeats another"
	case s.instructions != nil && s.instructions.Find(prompt).Text >= 0:
		reason = "the prompt nearly repeats another"
	case s.index.Find(whole).Text >= 0:
		reason = "nearly repeats another"
	}
	if reason != "" {
		s.Refused[reason]++
		return false
	}
	s.exact[normal(whole)] = true
	s.index.Add(whole)
	if s.instructions != nil {
		s.instructions.Add(prompt)
	}
	s.Kept++
	s.sumScore += a.Score
	s.Score = s.sumScore / float64(s.Kept)
	s.prompts, s.answers = append(s.prompts, prompt), append(s.answers, a.Answer)
	return true
}

// Diversity is that of the prompts and of the answers that were kept.
func (s *Sieve) Diversity() (prompts, answers near.Diversity) {
	return near.Measure(s.prompts), near.Measure(s.answers)
}

// Record is the demonstration of an attempt.
func (a *Attempt) Record() dataset.Record {
	r := dataset.Record{Kind: dataset.PromptCompletion, Prompt: a.Prompt, Completion: dataset.Text{Plain: a.Answer}, Source: a.Source}
	if a.Prompt.Turns != nil {
		r.Completion = dataset.Text{Turns: r.Completion.Conversation(chat.RoleAssistant)}
	}
	return r
}
