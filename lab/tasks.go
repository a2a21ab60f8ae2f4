package lab

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/search"
	"github.com/foundling-lm/foundling/internal/rng"
)

// Task is a question with a way to judge answers.
type Task struct {
	ID     string `json:"id"`
	Prompt string `json:"prompt"`
	Gold   string `json:"gold"`
}

// TaskSet is questions of one kind.
type TaskSet struct {
	Tasks   []Task
	Extract search.Extractor
	// Judge says whether a text is right; nil compares the answers of text and gold.
	Judge func(t Task, text string) bool
	Stop  []string // what ends an answer
}

// Arithmetic is n sums of two numbers below most, after three that are solved.
func Arithmetic(n, most int, seed uint64) TaskSet {
	stream := rng.Stream("lab: arithmetic")
	pair := func(i int) (a, b int) {
		return rng.Intn(seed, stream, uint64(2*i), most), rng.Intn(seed, stream, uint64(2*i+1), most)
	}
	var shots strings.Builder
	for i := range 3 {
		a, b := pair(n + i)
		fmt.Fprintf(&shots, "%d + %d = %d\n", a, b, a+b)
	}
	set := TaskSet{Extract: search.Number, Stop: []string{"\n"}}
	for i := range n {
		a, b := pair(i)
		set.Tasks = append(set.Tasks, Task{ID: fmt.Sprintf("%d+%d", a, b), Prompt: fmt.Sprintf("%s%d + %d =", shots.String(), a, b), Gold: fmt.Sprint(a + b)})
	}
	return set
}

// goHeads are functions that GoParse asks to be gone on with.
var goHeads = []string{
	"func Add(a, b int) int {\n", "func Max(x, y float64) float64 {\n", "func Contains(s []string, x string) bool {\n",
	"func Reverse(s []int) []int {\n", "func Sum(xs []int) int {\n", "func Keys(m map[string]int) []string {\n",
	"func (s *Stack) Push(x int) {\n", "func Abs(x int) int {\n", "func ReadLines(r io.Reader) ([]string, error) {\n",
	"func IsPalindrome(s string) bool {\n", "func Count(s string, c rune) int {\n", "func Filter(xs []int, keep func(int) bool) []int {\n",
}

// GoParse is n functions to finish, at most as many as there are heads; right is
// what parses.
func GoParse(n int) TaskSet {
	const end = "\n}"
	set := TaskSet{Stop: []string{end}}
	whole := func(t Task, text string) string { return t.Prompt + text + end + "\n" }
	set.Judge = func(t Task, text string) bool {
		v, err := search.ParsesAsGo(context.Background(), &search.Candidate{Text: whole(t, text)})
		return err == nil && v.Pass
	}
	// Votes are for bodies that are the same to gofmt.
	set.Extract = func(text string) (string, bool) { return search.GoCode("func _() {\n" + text + end) }
	for i := range min(n, len(goHeads)) {
		set.Tasks = append(set.Tasks, Task{ID: strings.TrimSuffix(goHeads[i], " {\n"), Prompt: goHeads[i]})
	}
	return set
}

// Drawing is how candidates for tasks are made.
type Drawing struct {
	Engine  *generate.Engine
	Encode  func(prompt string) ([]int32, error)
	Options generate.Options
	N       int // candidates a task
}

// DrawPool draws candidates for the tasks from first on and calls done with each
// problem as it is complete. Candidate j of task i is stream i*N+j. When ctx ends
// the problem under way is dropped.
func DrawPool(ctx context.Context, d Drawing, set TaskSet, first int, done func(Problem)) error {
	for i := first; i < len(set.Tasks); i++ {
		t := set.Tasks[i]
		ids, err := d.Encode(t.Prompt)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		o := d.Options
		o.Stop = append(o.Stop[:len(o.Stop):len(o.Stop)], set.Stop...)
		o.Stream = uint64(i) * uint64(d.N)
		candidates, err := search.Draw(ctx, d.Engine, ids, o, 0, d.N, nil)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		p := Problem{ID: t.ID, Prompt: t.Prompt, Gold: t.Gold, PromptTokens: len(ids), Candidates: make([]Sample, len(candidates))}
		gold, _ := set.Extract(t.Gold)
		for j := range candidates {
			c := &candidates[j]
			s := Sample{Text: c.Text, Tokens: search.Tokens(candidates[j : j+1])}
			s.Answer, _ = set.Extract(c.Text)
			if s.Right = s.Answer != "" && s.Answer == gold; set.Judge != nil {
				s.Right = set.Judge(t, c.Text)
			}
			if len(c.LogProbs) > 0 {
				sum := c.Likelihood(search.SumNorm)
				s.SumLogP = &sum
			}
			p.Candidates[j] = s
		}
		done(p)
	}
	return nil
}

// Check says whether every task can be judged.
func (s *TaskSet) Check() error {
	if len(s.Tasks) == 0 {
		return errors.New("there are no tasks")
	}
	for _, t := range s.Tasks {
		if _, ok := s.Extract(t.Gold); !ok && s.Judge == nil {
			return fmt.Errorf("task %s: its gold %.40q has no answer of this kind", t.ID, t.Gold)
		}
	}
	return nil
}
