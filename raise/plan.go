// Package raise is the main job: text goes in, a model that answers comes out,
// within a budget of time. Its stages are read, plan, tokenizer, shards,
// pre-training, fine-tuning, preferences, reward model, preference tuning,
// evaluation and report; each calls the package that does the work and leaves whole
// files in the run directory, so that a run that was broken off goes on from its last
// stage.
//
// The clock is asked once: Plan measures the machine and turns the budget into
// sizes and steps, which are written to run.json before the first step. From
// then on steps govern. A machine that turns out slower ends earlier at a
// cooldown that is journalled in run.json too.
//
// Not here: what the stages do (text/prepare, train/pretrain, train/posttrain,
// eval), flags and the terminal (cmd).
package raise

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/plan"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/train/posttrain"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// PlanFile is the plan of a run, in its directory.
const PlanFile = "run.json"

// Plan is everything that the weights of a run depend on, besides the text.
type Plan struct {
	Version          int              `json:"version"` // of this format
	Command          string           `json:"command"` // "raise"
	Program          string           `json:"program"` // version of the program that made the plan
	Data             []string         `json:"data"`    // files and folders
	Budget           float64          `json:"budget_seconds"`
	Seed             uint64           `json:"seed"`
	Kernels          string           `json:"kernels"`           // kernel set: other sets round differently
	Split            Split            `json:"split"`             // which text is held out
	Source           string           `json:"source"`            // hash of both sides of the split
	Keep             float64          `json:"keep"`              // share of the documents used
	WithoutGenerated bool             `json:"without_generated"` // files written by programs are left out
	TrainMB          float64          `json:"train_mb"`          // megabytes of training text
	Shares           Shares           `json:"shares"`            // of the budget, by stage
	Rates            []plan.Rate      `json:"rates"`             // measured training speed by width
	DecodeRate       float64          `json:"decode_rate"`       // measured tokens a second of many texts
	Law              string           `json:"law"`               // what the size was chosen by
	Chosen           plan.Candidate   `json:"chosen"`
	Table            []plan.Candidate `json:"alternatives"`

	Tokenizer TokenizerPlan        `json:"tokenizer"`
	Pretrain  pretrain.Options     `json:"pretrain"`
	SFT       posttrain.SFTOptions `json:"sft"`
	Answers   AnswerPlan           `json:"demonstrations"`
	Prefer    PreferPlan           `json:"preferences"`
	Eval      EvalPlan             `json:"evaluation"`
	Fixed     bool                 `json:"fixed,omitempty"` // a repetition: no clock may change it
	Journal   []Cut                `json:"journal,omitempty"`
}

// Split says how text is held out.
type Split struct {
	Method corpus.Method `json:"method"` // "directory", "content" or "tail"
	Share  float64       `json:"share"`  // of the bytes
}

// TokenizerPlan is the tokenizer to learn.
type TokenizerPlan struct {
	Vocab    int    `json:"vocab"`
	Pattern  string `json:"pattern"`
	MaxBytes int64  `json:"max_bytes"` // size of the sample it learns from
}

// AnswerPlan bounds the demonstrations.
type AnswerPlan struct {
	MaxPrompt   int `json:"max_prompt_bytes"`
	MaxResponse int `json:"max_response_bytes"`
	Most        int `json:"most"` // demonstrations used, at most
}

// EvalPlan bounds the evaluation.
type EvalPlan struct {
	HeldOutBytes int64 `json:"held_out_bytes"` // of text measured, at most
	NGramBytes   int64 `json:"ngram_bytes"`    // of text the n-grams count
	XZBytes      int   `json:"xz_bytes"`       // of text xz is primed with
	Functions    int   `json:"functions"`      // held-out functions to write
	BestOf       int   `json:"best_of"`        // of them to write many times
	AnswerTokens int   `json:"answer_tokens"`  // of each
}

// Cut is an end that came before the planned one, since the machine was slower
// than measured.
type Cut struct {
	Stage   string `json:"stage"`
	At      int    `json:"at"` // step at which it was decided
	Planned int    `json:"planned_steps"`
	Steps   int    `json:"steps"`
}

// Shares are parts of the budget, in 1.
type Shares struct {
	Prepare   float64 `json:"prepare"`   // reading, measuring, planning
	Tokenizer float64 `json:"tokenizer"` // learning it
	Shards    float64 `json:"shards"`    // encoding
	Pretrain  float64 `json:"pretrain"`
	SFT       float64 `json:"sft"`
	Compare   float64 `json:"compare"`  // drawing and grading what preferences are made of
	Judge     float64 `json:"judge"`    // the reward model
	Prefer    float64 `json:"prefer"`   // preference tuning
	Evaluate  float64 `json:"evaluate"` // and report
}

// DefaultShares is how a budget is divided. Together they leave a little for
// what was measured too well.
var DefaultShares = Shares{Prepare: 0.05, Tokenizer: 0.02, Shards: 0.02, Pretrain: 0.54, SFT: 0.10, Compare: 0.09, Judge: 0.02, Prefer: 0.05, Evaluate: 0.11}

// Load reads a plan; it reports false where there is none.
func Load(path string) (*Plan, bool, error) {
	var p Plan
	if found, err := atomicfile.ReadJSON(path, &p); err != nil {
		return nil, false, fmt.Errorf("%w: this is no plan of raise", err)
	} else if !found {
		return nil, false, nil
	}
	if p.Version != planVersion || p.Command != "raise" {
		return nil, false, fmt.Errorf("%s: command %q version %d: this program reads plans of raise, version %d", path, p.Command, p.Version, planVersion)
	}
	if err := errors.Join(p.Pretrain.Train.Validate(), p.Pretrain.Shape.Validate()); err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return &p, true, nil
}

const planVersion = 2

func (p *Plan) save(dir string) error {
	return atomicfile.WriteJSON(filepath.Join(dir, PlanFile), p)
}

// seconds is a share of the budget.
func (p *Plan) seconds(share float64) float64 { return share * p.Budget }

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }
