package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
	"github.com/foundling-lm/foundling/train/pretrain"
)

// What clients of a server do in its benches.
const (
	serveClients = 32
	servePrompt  = 16   // tokens, of those that are counted together
	serveTokens  = 96   // new tokens of each
	firstPrompt  = 128  // tokens, of the one whose first token is waited for
	longPrompt   = 2048 // tokens, of the one that comes in beside others
	besideTokens = 1024 // of those that decode beside, at most: they are ended before
)

// serveCases measure a server of a public shape with random weights, in a process of its
// own, and with --against another one on the same file: new tokens a second of 32
// clients, and their share of what the engine alone makes of the same texts; from a
// token's choice to its bytes being written; the first token of a prompt while 31 others
// decode; what a long prompt does to the time between their tokens.
func (c *benchCmd) serveCases() []benchCase {
	if c.Shape == "" {
		c.Shape = "smollm2-135m"
	}
	prefix := "serve/" + c.Shape + "/" + c.Type
	var names []string
	for _, n := range []string{
		"engine32", "clients32", "clients32/share", "delivery1/p50", "delivery1/p99", "delivery32/p50", "delivery32/p99",
		"first128", "between/p99", "beside2048/p50", "beside2048/p99", "beside2048/first",
	} {
		names = append(names, prefix+"/"+n)
	}
	if c.Against != "" {
		for _, n := range []string{"clients32", "first128", "between/p99", "beside2048/p50", "beside2048/p99", "beside2048/first"} {
			names = append(names, prefix+"/llama.cpp/"+n)
		}
	}
	return []benchCase{{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) { return nil, c.measureServers(ctx, prefix) }}}
}

func (c *benchCmd) measureServers(ctx context.Context, prefix string) error {
	dir, err := os.MkdirTemp("", "foundling-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := c.File
	if file == "" {
		file = filepath.Join(dir, "model.gguf")
	}
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		c.shown.stage("writing a model of the shape " + c.Shape)
		if err := c.writeShape(ctx, dir, file); err != nil {
			return err
		}
	}
	m, err := foundling.Open(file, foundling.Options{Threads: c.Threads, Kernels: c.Kernels, Precision: c.exact().Precision, CacheBytes: 4 << 30})
	if err != nil {
		return err
	}
	defer m.Close()
	ours, err := c.startServer(ctx, file)
	if err != nil {
		return err
	}
	err = c.measureServer(ctx, prefix, ours, m)
	ours.stop()
	if err != nil || c.Against == "" {
		return err
	}
	theirs, err := c.startOther(ctx, file)
	if err != nil {
		return err
	}
	defer theirs.stop()
	return c.measureServer(ctx, prefix+"/llama.cpp", theirs, m)
}

// measureServer shows the rows of one server; m is its model in this process.
func (c *benchCmd) measureServer(ctx context.Context, prefix string, s *benchServer, m *foundling.Model) error {
	w := &workload{server: s, vocab: m.Bundle.Model.Dims().Vocab, ends: m.Bundle.Stops()}
	stage := func(name string) { c.shown.stage(prefix + "/" + name) }
	var failed error
	show := func(name, unit string, xs ...float64) {
		failed = cmp.Or(failed, c.show(summary(prefix+"/"+name, unit, xs)))
	}
	stage("clients32")
	if _, err := w.together(ctx, serveClients); err != nil { // allocates
		return err
	}
	var engine, clients, share []float64
	for start := time.Now(); len(clients) == 0 || time.Since(start) < c.each(20*time.Second); {
		if s.ours {
			x, err := w.engine(ctx, m.Engine)
			if err != nil {
				return err
			}
			engine = append(engine, x)
		}
		y, err := w.together(ctx, serveClients)
		if err != nil {
			return err
		}
		if clients = append(clients, y); s.ours {
			share = append(share, y/engine[len(engine)-1])
		}
	}
	if s.ours {
		show("engine32", "tokens/s", engine...)
		show("clients32/share", "of engine32", share...)
	}
	show("clients32", "tokens/s", clients...)
	if s.ours {
		for _, n := range []int{1, serveClients} {
			name := fmt.Sprintf("delivery%d", n)
			stage(name)
			p50, p99, err := w.delivery(ctx, n)
			if err != nil {
				return err
			}
			show(name+"/p50", "ms", p50)
			show(name+"/p99", "ms", p99)
		}
	}
	stage("first128, beside2048")
	b, err := w.beside(ctx, c.each(20*time.Second))
	if err != nil {
		return err
	}
	show("first128", "ms", b.first...)
	show("between/p99", "ms", quantileIn(b.before, 0.99))
	show("beside2048/p50", "ms", quantileIn(b.gaps, 0.5))
	show("beside2048/p99", "ms", quantileIn(b.gaps, 0.99))
	show("beside2048/first", "ms", b.long)
	return failed
}

// quantileIn is the quantile q of what was measured, 0 of nothing.
func quantileIn(xs []float64, q float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(xs))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

// writeShape writes a model of the shape, with random weights and a tokenizer that is
// learned on the spot, as a GGUF file.
func (c *benchCmd) writeShape(ctx context.Context, dir, file string) error {
	shape, err := publicShape(c.Shape)
	if err != nil {
		return err
	}
	b, err := cpu.New(cpu.Options{Threads: c.Threads, Precision: "f32"})
	if err != nil {
		return err
	}
	defer b.Close()
	shape.Context = longPrompt + besideTokens + firstPrompt
	m, err := pretrain.NewModel(b, shape, -1)
	if err != nil {
		return err
	}
	defer model.Release(b, m.Params())
	fillWeights(b, m)
	docs, err := c.source(ctx, quickTrainBytes)
	if err != nil {
		return err
	}
	tok, err := tokenizer.Train(ctx, slices.Values(docs), tokenizer.TrainOptions{VocabSize: shape.Vocab, Pattern: "gpt2", Special: chat.SpecialTokens(), Threads: c.Threads})
	if err != nil {
		return err
	}
	z := &bundle.Bundle{Dir: filepath.Join(dir, "model"), Model: m, Tokenizer: tok}
	end, _ := tok.SpecialID(chat.EndOfText)
	z.Generation.EOS, z.Generation.BOS = bundle.IDs{end}, new(end)
	if err := z.Save(b, dtype.F32); err != nil {
		return err
	}
	return bundle.Convert(z.Dir, file, bundle.ConvertOptions{Type: strings.ToLower(c.Type), Threads: c.Threads})
}

// workload is what clients ask a server of a model.
type workload struct {
	server *benchServer
	vocab  int
	ends   []int32 // ids that end a text: they must not, so that texts have their lengths
	asked  uint64  // prompts so far, none of which is like another
}

// prompt is n random ids.
func (w *workload) prompt(n int) []int32 {
	w.asked++
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(rng.Intn(2, w.asked, uint64(i), min(w.vocab, 256))) // tokens that surely have text
	}
	return ids
}

// engine is the rate of the same texts without a server.
func (w *workload) engine(ctx context.Context, e *generate.Engine) (float64, error) {
	bias := map[int32]float64{}
	for _, id := range w.ends {
		bias[id] = -100
	}
	var rs []generate.Request
	for range serveClients {
		rs = append(rs, generate.Request{Prompt: w.prompt(servePrompt), Options: generate.Options{MaxTokens: serveTokens, Sample: sample.Options{Temperature: 1, Seed: w.asked, LogitBias: bias}}})
	}
	return rateOf(serveClients*serveTokens, func() error {
		_, err := e.GenerateAll(ctx, rs, nil)
		return err
	})
}
