package posttrain_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// tiny is a small model of bytes whose only end token is chat.EndOfText.
func tiny(t *testing.T, b *cpu.Backend) *bundle.Bundle {
	t.Helper()
	tok := tokenizer.Bytes(chat.SpecialTokens()...)
	m, err := zoo.FromShape(b, zoo.Shape{Family: "llama", Layers: 1, Width: 16, Heads: 2, Vocab: tok.VocabSize(), Context: 32, BOS: -1, EOS: -1, Pad: -1})
	if err != nil {
		t.Fatal(err)
	}
	m.Init(b, 3)
	end, _ := tok.SpecialID(chat.EndOfText)
	return &bundle.Bundle{Model: m, Tokenizer: tok, Generation: bundle.Generation{EOS: bundle.IDs{end}}}
}

func backend(t *testing.T, threads int) *cpu.Backend {
	t.Helper()
	b, err := cpu.New(cpu.Options{Precision: "f32", Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// prompts are n short texts.
func prompts(z *bundle.Bundle, n int) (out []posttrain.Prompt) {
	for i := range n {
		s := fmt.Sprintf("%d%c", i, 'a'+i%7)
		out = append(out, posttrain.Prompt{Given: dataset.Text{Plain: s}, IDs: z.Tokenizer.EncodeAppend(nil, s)})
	}
	return out
}

// ends rewards completions that end.
var ends = posttrain.Term{Name: "ended", Weight: 1, Reward: posttrain.One(func(_ context.Context, a *posttrain.Answer) (float64, error) {
	if a.Complete() {
		return 1, nil
	}
	return 0, nil
})}

// tinyRun is a run of a method on a tiny model.
type tinyRun struct {
	posttrain.Policy
	Train    train.Options
	Progress func(train.Metrics)
	log      []train.Metrics
}

func policy(t *testing.T, b *cpu.Backend, method string, steps int) *tinyRun {
	t.Helper()
	o, err := posttrain.DefaultPolicy(method)
	if err != nil {
		t.Fatal(err)
	}
	o.Rollout, o.MaxTokens = 4, 6
	if o.Completions == 1 {
		o.Rollout = 32
	}
	z := tiny(t, b)
	p := &tinyRun{
		Policy: posttrain.Policy{
			PolicyOptions: o, Dir: t.TempDir(), Base: z, Prompts: prompts(z, 20), Rewards: []posttrain.Term{ends},
			Reference: posttrain.Reference{Model: tiny(t, b).Model}, Value: posttrain.NewValue(b, z.Model),
		},
		Train: train.Options{Seed: 1, Schedule: optim.Schedule{Kind: "constant", Peak: 1e-2, Steps: steps}},
	}
	p.Train.Optimizer.Name = "adamw"
	return p
}

// do trains.
func (p *tinyRun) do(ctx context.Context, b *cpu.Backend) error {
	j, err := p.Job(ctx, b)
	if err != nil {
		return err
	}
	j.Out, j.Train = filepath.Join(p.Dir, "out"), p.Train
	j.Progress = func(m train.Metrics) {
		p.log = append(p.log, m)
		if p.Progress != nil {
			p.Progress(m)
		}
	}
	return j.Run(ctx, b)
}

func run(t *testing.T, b *cpu.Backend, p *tinyRun) {
	t.Helper()
	if err := p.do(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// TestRatioIsOne checks that the policy which learns is the one that was sampled
// from: before the first update of each rollout all ratios are 1, to the last bit,
// and the engine computes the same log-probabilities.
func TestRatioIsOne(t *testing.T) {
	for _, method := range []string{"ppo", "grpo", "rloo"} {
		for _, temperature := range []float64{1, 0.8} {
			b := backend(t, 2)
			p := policy(t, b, method, 6)
			p.Temperature, p.Epochs, p.Places = temperature, 2, 100
			run(t, b, p)
			for i, m := range p.log {
				x := m.Extra
				one := x[posttrain.Ratio] == 1 && x[posttrain.RatioVar] == 0 && x[posttrain.ClipFraction] == 0 && x[posttrain.ApproxKL] == 0
				if one != (i%2 == 0) {
					t.Errorf("%s step %d: ratio %v, variance %g", method, i+1, x[posttrain.Ratio], x[posttrain.RatioVar])
				}
				if x[posttrain.SamplerGap] != 0 {
					t.Errorf("%s step %d: the engine is %g nats away", method, i+1, x[posttrain.SamplerGap])
				}
			}
			if x := p.log[0].Extra; x[posttrain.ObjectiveKL] != 0 {
				t.Errorf("%s: the divergence begins at %g", method, x[posttrain.ObjectiveKL])
			}
		}
	}
}

// TestRatioIsOneEverywhere does the same for other families, in bf16, and for an
// adapter whose model below is the reference.
func TestRatioIsOneEverywhere(t *testing.T) {
	for _, c := range []struct {
		family, precision string
		adapter           bool
	}{{"gemma2", "f32", false}, {"qwen2_moe", "f32", false}, {"gpt2", "bf16", false}, {"llama", "bf16", true}} {
		b, err := cpu.New(cpu.Options{Precision: c.precision, Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		p := policy(t, b, "ppo", 4)
		s := zoo.Shape{Family: c.family, Layers: 2, Width: 32, Heads: 2, Vocab: p.Base.Tokenizer.VocabSize(), Context: 32, BOS: -1, EOS: -1, Pad: -1}
		m, err := zoo.FromShape(b, s)
		if err != nil {
			t.Fatal(err)
		}
		m.Init(b, 2)
		p.Base.Model, p.Value, p.Places, p.Epochs = m, posttrain.NewValue(b, m), 150, 2
		var a *lora.Adapter
		if c.adapter {
			if a, err = lora.Attach(b, m, lora.Options{Rank: 2}); err != nil {
				t.Fatal(err)
			}
			p.Reference = posttrain.Reference{Off: a.Off}
		} else {
			before, err := zoo.FromShape(b, s)
			if err != nil {
				t.Fatal(err)
			}
			before.Init(b, 2)
			p.Reference.Model = before
		}
		j, err := p.Job(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		j.Out, j.Train, j.Adapter = filepath.Join(p.Dir, "out"), p.Train, a
		j.Write = func(*bundle.Bundle) error { return nil }
		j.Progress = func(m train.Metrics) {
			x := m.Extra
			if one := x[posttrain.Ratio] == 1 && x[posttrain.RatioVar] == 0; one != (m.Step%2 == 1) {
				t.Errorf("%+v step %d: ratio %v, variance %g", c, m.Step, x[posttrain.Ratio], x[posttrain.RatioVar])
			}
			if kl, ok := x[posttrain.ObjectiveKL]; ok && (kl == 0) != (m.Step == 1) {
				t.Errorf("%+v step %d: the divergence is %g", c, m.Step, kl)
			}
			if x[posttrain.SamplerGap] != 0 {
				t.Errorf("%+v step %d: the engine is %g nats away", c, m.Step, x[posttrain.SamplerGap])
			}
		}
		if err := j.Run(context.Background(), b); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingMovesWithoutRate reads a rollout several times at a rate of nearly 0.
func TestNothingMovesWithoutRate(t *testing.T) {
	b := backend(t, 2)
	p := policy(t, b, "ppo", 8)
	p.Train.Schedule.Peak = 1e-30
	run(t, b, p)
	for _, m := range p.log {
		if x := m.Extra; x[posttrain.ClipFraction] != 0 || x[posttrain.ValueClipFraction] != 0 || x[posttrain.Ratio] != 1 {
			t.Errorf("step %d: clipped %g, ratio %g", m.Step, x[posttrain.ClipFraction], x[posttrain.Ratio])
		}
	}
}

// TestLearnsTheReward lets every method learn to end a text at once.
func TestLearnsTheReward(t *testing.T) {
	if testing.Short() {
		t.Skip("learning takes many steps")
	}
	for _, method := range []string{"ppo", "grpo", "dr_grpo", "dapo", "rloo", "reinforce", "reinforce_pp", "reinforce_pp_baseline"} {
		t.Run(method, func(t *testing.T) {
			b := backend(t, 2)
			steps := 40
			if method == "ppo" || method == "reinforce_pp" {
				steps = 120
			}
			p := policy(t, b, method, steps)
			p.KL.Coef = min(p.KL.Coef, 0.01)
			run(t, b, p)
			s := posttrain.Summaries(p.log)
			first, last := s[0].First[posttrain.Scores], 0.0
			for _, r := range s[len(s)-4:] {
				last += r.First[posttrain.Scores] / 4
			}
			if first > 0.3 || last < 0.8 {
				t.Errorf("after %d rollouts the share that ends went from %.2f to %.2f", len(s), first, last)
			}
			t.Logf("score %.2f to %.2f, KL %.2f", first, last, s[len(s)-1].First[posttrain.ObjectiveKL])
		})
	}
}

// TestFiguresOfTRL looks for every figure of TRL's PPO under its name.
func TestFiguresOfTRL(t *testing.T) {
	b := backend(t, 2)
	p := policy(t, b, "ppo", 1)
	p.EndPenalty = 1
	run(t, b, p)
	x := p.log[0].Extra
	for _, name := range []string{
		"objective/kl", "objective/entropy", "objective/non_score_reward", "objective/rlhf_reward", "objective/scores",
		"policy/approxkl_avg", "policy/clipfrac_avg", "policy/entropy_avg", "loss/policy_avg", "loss/value_avg",
		"val/clipfrac_avg", "val/ratio", "val/ratio_var", "val/num_eos_tokens", "eps", "episode",
	} {
		if _, ok := x[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	ended := x["val/num_eos_tokens"]
	if want := (ended - (32 - ended)) / 32; math.Abs(x["objective/scores"]-want) > 1e-12 || x["episode"] != 32 {
		t.Errorf("%g of 32 completions ended: a score of %g, want %g; episode %g", ended, x["objective/scores"], want, x["episode"])
	}
}

// weightsOf are all values of a model.
func weightsOf(b *cpu.Backend, z *bundle.Bundle) (out []float32) {
	for _, w := range z.Model.Params() {
		x := make([]float32, w.Len())
		b.Download(x, w.T)
		out = append(out, x...)
	}
	return out
}

// TestPolicyResumes stops runs in the middle of a rollout's readings and goes on
// with another number of threads: the weights are those of a run that was never
// stopped, and no reward is asked for twice.
func TestPolicyResumes(t *testing.T) {
	for _, method := range []string{"ppo", "grpo", "reinforce"} {
		t.Run(method, func(t *testing.T) {
			asked := 0
			term := posttrain.Term{Name: "outside", Weight: 1, Outside: true, Batch: 10, Reward: func(ctx context.Context, answers []posttrain.Answer) ([]posttrain.Score, error) {
				asked++
				return ends.Reward(ctx, answers)
			}}
			one := func(dir string, threads, stop int) ([]float32, int) {
				b := backend(t, threads)
				p := policy(t, b, method, 14)
				p.Dir, p.Epochs, p.Minibatches, p.Rewards = dir, 2, 2, []posttrain.Term{term}
				p.KL.Target, p.KL.Horizon, p.KL.Coef, p.StopKL = 0.1, 50, 0.1, 0.02
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				p.Progress = func(m train.Metrics) {
					if m.Step == stop {
						cancel()
					}
				}
				if err := p.do(ctx, b); err != nil && !errors.Is(err, train.ErrInterrupted) {
					t.Fatal(err)
				}
				return weightsOf(b, p.Base), len(posttrain.Summaries(p.log))
			}
			want, rollouts := one(t.TempDir(), 2, 0)
			whole := asked
			asked = 0
			dir := t.TempDir()
			for _, stop := range []int{2, 3, 7, 9} {
				one(dir, 1, stop)
			}
			got, _ := one(dir, 1, 0)
			if !reflect.DeepEqual(got, want) {
				t.Error("the weights differ from those of an uninterrupted run")
			}
			if asked != whole {
				t.Errorf("rewards were asked for %d times, %d in an uninterrupted run", asked, whole)
			}
			left, err := posttrain.Rollouts(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("rollouts %v are left of %d, %v, want the last", left, rollouts, err)
			}
			if rollouts <= 14/4 {
				t.Errorf("%d rollouts: none ended early", rollouts)
			}
		})
	}
}

// TestRolloutOfAnotherRun puts files into a run's directory that do not belong there.
func TestRolloutOfAnotherRun(t *testing.T) {
	b := backend(t, 2)
	good := policy(t, b, "ppo", 1)
	run(t, b, good)
	data, err := os.ReadFile(filepath.Join(good.Dir, "rollouts", "000000.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"prompt":`, `"prompt":9`, "answers prompt"},
		{`"ids":[`, `"ids":[9999,`, "tokens and"},
		{`"samples":[`, `"samples":[{"prompt":0},`, "33 samples"},
		{`"values":[`, `"values":[0,`, "not as many"},
		{`{`, `[`, "invalid"},
	} {
		p := policy(t, b, "ppo", 1)
		text := strings.ReplaceAll(strings.Join(strings.Fields(string(data)), ""), c.old, c.new)
		if c.old == "{" {
			text = strings.Replace(string(data), c.old, c.new, 1)
		}
		if err := os.MkdirAll(filepath.Join(p.Dir, "rollouts"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(p.Dir, "rollouts", "000000.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := p.do(context.Background(), b); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "000000.json") {
			t.Errorf("%s: error %v, want %q in it", c.new, err, c.want)
		}
	}
}

// TestRewardsResumeInside ends a process between two answers of a service.
func TestRewardsResumeInside(t *testing.T) {
	asked := map[string]int{}
	dir := t.TempDir()
	boom := errors.New("killed")
	do := func(fail int) error {
		b := backend(t, 2)
		p := policy(t, b, "rloo", 2)
		p.Dir = dir
		n := 0
		p.Rewards = []posttrain.Term{{Name: "service", Weight: 1, Outside: true, Batch: 8, Reward: func(ctx context.Context, answers []posttrain.Answer) ([]posttrain.Score, error) {
			if n++; n == fail {
				return nil, boom
			}
			for _, a := range answers {
				asked[a.Prompt.Given.Plain+"\x00"+a.Text]++
			}
			return ends.Reward(ctx, answers)
		}}}
		return p.do(context.Background(), b)
	}
	if err := do(4); !errors.Is(err, boom) {
		t.Fatalf("error %v", err)
	}
	before := 0
	for _, n := range asked {
		before += n
	}
	if err := do(0); err != nil {
		t.Fatal(err)
	}
	after := 0
	for _, n := range asked {
		after += n
	}
	if before != 24 || after != 2*32 {
		t.Errorf("%d answers before the end and %d in all, want 24 and %d", before, after, 2*32)
	}
}

// TestPolicySkipsAndBounds gives rewards that are no numbers.
func TestPolicySkipsAndBounds(t *testing.T) {
	b := backend(t, 2)
	for _, c := range []struct {
		every int
		ok    bool
	}{{10, true}, {1, false}} {
		p := policy(t, b, "ppo", 4)
		n := 0
		p.Rewards = []posttrain.Term{{Name: "odd", Weight: 1, Reward: posttrain.One(func(context.Context, *posttrain.Answer) (float64, error) {
			if n++; n%c.every == 0 {
				return []float64{math.NaN(), math.Inf(1), 1e300}[n/c.every%3], nil
			}
			return 1, nil
		})}}
		err := p.do(context.Background(), b)
		if (err == nil) != c.ok {
			t.Errorf("every %d: error %v", c.every, err)
		}
		if c.ok && p.log[0].Extra[posttrain.Skipped] != 3.0/32 {
			t.Errorf("a share of %g was skipped", p.log[0].Extra[posttrain.Skipped])
		}
	}
}
