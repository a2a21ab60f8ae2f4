package posttrain

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Judge answers questions of the form of a Constitution's: which of two answers is
// better, A or B?
type Judge interface {
	// Ask tells the reply to each question as it comes, one at a time. An error ends
	// the run; what concerns one question stands in its reply.
	Ask(ctx context.Context, questions [][]chat.Message, tell func(i int, r Reply)) error
}

// Reply is what a judge says.
type Reply struct {
	A        float64 `json:"a"`                  // probability that A is the better answer: 1, 0, between; 0.5 is a draw
	Nonsense string  `json:"nonsense,omitempty"` // said instead of a verdict
	Failed   string  `json:"failed,omitempty"`   // why there is no reply

	PromptTokens     int     `json:"prompt_tokens"`
	CompletionTokens int     `json:"completion_tokens"`
	Seconds          float64 `json:"seconds"`
	Tries            int     `json:"tries,omitempty"` // more than one: after failures
}

// Said is the text of a service that converses, and what it counted.
type Said struct {
	Text             string
	PromptTokens     int
	CompletionTokens int
}

// Service is a judge that writes its verdict, such as a model behind a network
// interface.
type Service struct {
	Say        func(ctx context.Context, msgs []chat.Message) (Said, error) // one try
	Timeout    time.Duration                                                // of a try; 0: a minute
	Retries    int                                                          // after a failure
	Pause      time.Duration                                                // before the first of them, doubled each time; 0: a second
	Concurrent int                                                          // questions at a time; 0: 1
}

// ErrRefused is in the error of a try that would fail again, such as one with a wrong
// key.
var ErrRefused = errors.New("the service refuses")

// hopeless is how many questions in a row may fail, with all their retries, before
// the service counts as gone.
const hopeless = 5

// Ask asks several questions at a time. When one after another fails it returns an
// error.
func (s *Service) Ask(ctx context.Context, questions [][]chat.Message, tell func(i int, r Reply)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var mu sync.Mutex
	var wg sync.WaitGroup
	failures := 0
	slots := make(chan struct{}, max(1, s.Concurrent))
	for i, q := range questions {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			r, err := s.ask(ctx, q)
			mu.Lock()
			defer mu.Unlock()
			if tell(i, r); err == nil {
				failures = 0
			} else if failures++; failures == hopeless {
				stop(fmt.Errorf("the judge failed %d times in a row, lastly: %w", failures, err))
			}
			<-slots
		}()
	}
	wg.Wait()
	return context.Cause(ctx)
}

// ask tries one question until there is a reply.
func (s *Service) ask(ctx context.Context, q []chat.Message) (r Reply, err error) {
	timeout, pause := s.Timeout, s.Pause
	if timeout == 0 {
		timeout = time.Minute
	}
	if pause == 0 {
		pause = time.Second
	}
	start := time.Now()
	for try := 0; try <= s.Retries && ctx.Err() == nil; try++ {
		if try > 0 {
			select {
			case <-time.After(pause << min(try-1, 6)):
			case <-ctx.Done():
				continue
			}
		}
		own, cancel := context.WithTimeout(ctx, timeout)
		var said Said
		said, err = s.Say(own, q)
		if err != nil && errors.Is(own.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("no reply within %v", timeout)
		}
		cancel()
		r.Tries++
		if errors.Is(err, ErrRefused) {
			break
		}
		if err != nil {
			continue
		}
		r.PromptTokens, r.CompletionTokens, r.Seconds = said.PromptTokens, said.CompletionTokens, time.Since(start).Seconds()
		var ok bool
		if r.A, ok = ParseVerdict(said.Text); !ok {
			r.A, r.Nonsense = 0.5, clip(said.Text, 200)
			if strings.TrimSpace(r.Nonsense) == "" {
				r.Nonsense = "(nothing)"
			}
		}
		return r, nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return Reply{A: 0.5, Failed: err.Error(), Seconds: time.Since(start).Seconds(), Tries: r.Tries}, err
}

// clip is s cut to about n bytes, at the end of a character.
func clip(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// The forms in which judges give a verdict, the surest first.
var (
	alone    = regexp.MustCompile(`^[\s\W_]*([AB]|(?i:tie|draw))[\s\W_]*$`)
	brackets = regexp.MustCompile(`\[\[(A|B|C|(?i:tie))\]\]`)
	leading  = regexp.MustCompile(`^[\s*_"'(\[]*([AB])(?:[).:,*\]]|\s*\n|\s+[-–—])`)
	named    = regexp.MustCompile(`(?i:answer|option|verdict|choice|response|winner|better)[\s"':*(]*(?i:is|:)?[\s"':*(]*(?i:answer|option|response)?[\s"':*(]*\b([AB])\b`)
	better   = regexp.MustCompile(`\b([AB])\b[\s"'*)]*is (?i:the )?(?i:better|best)\b`)
)

// ParseVerdict reads which answer a reply prefers: 1 for A, 0 for B, 0.5 for a
// draw; ok is false where it says neither, or both.
func ParseVerdict(text string) (a float64, ok bool) {
	found := ""
	for _, form := range []*regexp.Regexp{alone, brackets, leading, better, named} {
		for _, m := range form.FindAllStringSubmatch(text, -1) {
			if found != "" && found != m[1] {
				return 0.5, false // it weighs both
			}
			found = m[1]
		}
		if found != "" {
			break
		}
	}
	switch strings.ToUpper(found) {
	case "A":
		return 1, true
	case "B":
		return 0, true
	case "":
		return 0.5, false
	}
	return 0.5, true
}

// ModelJudge is a model of this program. It need not write well: its verdict is how
// much more probable the letter A is to it than B (Bai et al. 2022, arXiv 2212.08073,
// section 4.1).
type ModelJudge struct {
	Engine *generate.Engine
	Writer *Writer
}

// Ask reads all questions, each with either letter.
func (j *ModelJudge) Ask(ctx context.Context, questions [][]chat.Message, tell func(i int, r Reply)) error {
	replies := make([]Reply, len(questions))
	var texts [][]int32
	var of []int // question of every two texts
	for i, q := range questions {
		a, b, err := j.letters(q)
		if err != nil {
			replies[i] = Reply{A: 0.5, Failed: err.Error()}
			continue
		}
		replies[i].PromptTokens = len(a) + len(b)
		texts, of = append(texts, a, b), append(of, i)
	}
	start := time.Now()
	scores, err := j.Engine.ScoreAll(ctx, texts, 0)
	if err != nil {
		return err
	}
	each := time.Since(start).Seconds() / math.Max(1, float64(len(of)))
	for k, i := range of {
		a, b := texts[2*k], texts[2*k+1]
		from := 1
		for from < min(len(a), len(b)) && a[from] == b[from] {
			from++
		}
		x := total(scores[2*k].LogProbs[from-1:]) - total(scores[2*k+1].LogProbs[from-1:])
		replies[i].A, replies[i].Seconds = 1/(1+math.Exp(-x)), each
	}
	for i, r := range replies {
		tell(i, r)
	}
	return nil
}

// letters are the ids of the question with either reply.
func (j *ModelJudge) letters(q []chat.Message) (a, b []int32, err error) {
	ids, err := j.Writer.Prompt(dataset.Text{Turns: q}, 2)
	if err != nil {
		return nil, nil, err
	}
	t := j.Writer.z.Tokenizer
	return t.EncodeAppend(slices.Clone(ids), "A"), t.EncodeAppend(slices.Clone(ids), "B"), nil
}

func total(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}
