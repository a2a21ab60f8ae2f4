package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/demo"
	"github.com/foundling-lm/foundling/text/gosrc"
	"github.com/foundling-lm/foundling/text/prepare"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// madeOf is demonstrations.json: what a model was fine-tuned on.
type madeOf struct {
	Tally   demo.Tally      `json:"tasks"`           // demonstrations by task
	HeldOut bool            `json:"held_out_known"`  // the text that the model was validated on is known
	Dropped map[string]int  `json:"dropped_overlap"` // with held-out text, by reason
	Mix     mixTable        `json:"mix"`             // the parts of an epoch
	Cut     int             `json:"cut"`             // too long, truncated
	Long    int             `json:"too_long"`        // left out
	Packing batch.PackStats `json:"packing"`
	Skipped dataset.Skips   `json:"skipped"` // rows of records that could not be used
}

const madeOfFile = "demonstrations.json"

// holdOut finds the text that the model was validated on, by the run.json
// beside it or above it, so that no demonstration trains on it.
func (r *sftRun) holdOut(ctx context.Context) error {
	dirs := []string{filepath.Dir(r.Options.Model)}
	if info, err := os.Stat(r.Options.Model); err == nil && info.IsDir() {
		dirs = []string{r.Options.Model, dirs[0]}
	}
	for _, dir := range dirs {
		data, err := os.ReadFile(filepath.Join(dir, runFileName))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		paths, o, ok := splitOf(data)
		if !ok {
			continue
		}
		r.p.stage("held out", 0)
		d, err := prepare.Open(paths, o)
		if err != nil {
			return fmt.Errorf("the text that %s was trained on, to keep its held-out part apart: %w", dir, err)
		}
		if r.held, err = demo.NewHeldOut(r.names.docs(d.Sides.Documents(corpus.Validation))); err != nil {
			return err
		}
		n := d.Sides.Count(corpus.Validation)
		r.p.end(fmt.Sprintf("%d documents, %.2f MB that %s was validated on", n.Documents, float64(n.Bytes)/1e6, dir))
		return ctx.Err()
	}
	fmt.Fprintf(os.Stderr, "held out  not known: %s has no %s of its pre-training\n", r.Options.Model, runFileName)
	return nil
}

// splitOf reads from the run.json of pretrain or raise which text was held out.
func splitOf(data []byte) (paths []string, o prepare.Options, ok bool) {
	var head struct {
		Command string   `json:"command"`
		Data    []string `json:"data"`
		Split   struct {
			Method corpus.Method `json:"method"`
			Share  float64       `json:"share"`
		} `json:"split"`
		Seed             uint64          `json:"seed"`
		Keep             float64         `json:"keep"`
		WithoutGenerated bool            `json:"without_generated"`
		Options          json.RawMessage `json:"options"`
	}
	if json.Unmarshal(data, &head) != nil {
		return nil, o, false
	}
	switch head.Command {
	case "raise":
		o.Split = corpus.SplitOptions{Method: head.Split.Method, Share: head.Split.Share, Seed: head.Seed}
		o.Keep, o.WithoutGenerated = head.Keep, head.WithoutGenerated
		return head.Data, o, len(head.Data) > 0
	case "pretrain":
		var p pretrainOptions
		if json.Unmarshal(head.Options, &p) != nil {
			return nil, o, false
		}
		o.Split = corpus.SplitOptions{Method: corpus.Method(p.Split), Share: p.SplitShare}
		return p.Data, o, len(p.Data) > 0
	}
	return nil, o, false
}

// demonstrate makes, encodes and packs the demonstrations and settles the steps.
func (r *sftRun) demonstrate(ctx context.Context) error {
	o := &r.Options
	if err := r.base.Converse(); err != nil {
		return err
	}
	r.p.stage("demonstrations", 0)
	r.made = madeOf{Tally: demo.Tally{}, Dropped: map[string]int{}, HeldOut: r.held != nil}
	stream, err := r.demonstrations()
	if err != nil {
		return err
	}
	c, err := r.collect(ctx, stream)
	if err != nil {
		return err
	}
	if !demo.Enough(c.found) {
		return fmt.Errorf("%d demonstrations were found in %v (%d more overlap with held-out text), at least %d are needed: give Go source, text with headings or questions, or records with prompt and completion or messages%s",
			c.found, o.Data, total(r.made.Dropped), demo.MinDemonstrations, leftOut(&r.made.Skipped))
	}
	if kept := c.found - r.made.Long; !demo.Enough(kept) {
		return fmt.Errorf("of %d demonstrations %d fit into --context %d, at least %d are needed: use a larger context, --too-long truncate-left, or shorter texts", c.found, kept, o.Context, demo.MinDemonstrations)
	}
	if r.made.Mix, err = c.mix.table(); err != nil {
		return usageError{err}
	}
	if r.examples, err = batch.PackExamples(c.learn, o.Context, batch.PackOptions{}); err != nil {
		return err
	}
	if len(c.unseen) > 0 {
		if r.unseen, err = batch.PackExamples(c.unseen, o.Context, batch.PackOptions{}); err != nil {
			return err
		}
	}
	p := r.examples.Stats()
	r.made.Packing = p
	r.p.end(fmt.Sprintf("%s; overlap dropped %d; %d in %d rows of %d tokens (%.0f %% full), %d held out, %d too long, %d cut, %d tokens trained%s",
		r.made.Tally, total(r.made.Dropped), p.Examples, p.Rows, o.Context, 100*float64(p.Tokens)/float64(p.Rows*o.Context),
		len(c.unseen), r.made.Long, r.made.Cut, p.Trained, skipped(&r.made.Skipped)))
	if err := r.settle(fingerprint(append(c.learn, c.unseen...)), float64(p.Rows)/float64(o.BatchTokens/o.Context)); err != nil {
		return err
	}
	return r.keep()
}

// collection is the demonstrations as ids.
type collection struct {
	found         int
	learn, unseen []batch.Example
	held          map[uint64]bool // hashes of unseen
	mix           *mixing
}

// collect encodes the demonstrations of stream, cuts long ones, holds some out and
// repeats others.
func (r *sftRun) collect(ctx context.Context, stream demo.Stream) (*collection, error) {
	o := &r.Options
	c := &collection{held: map[uint64]bool{}}
	var err error
	if c.mix, err = newMix(o.Mix); err != nil {
		return nil, err
	}
	for d, err := range r.held.Deduplicate(stream, r.made.Dropped) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		e, err := posttrain.ExampleFor(r.base, d.Messages())
		if refused(d, err, &r.made.Skipped) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.Model, err)
		}
		c.found++
		e, cut, ok, err := o.TooLong.Fit(e, o.Context)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", d.Provenance, err)
		case !ok:
			r.made.Long++
			continue
		case cut:
			r.made.Cut++
		}
		r.made.Tally.Add(d)
		r.p.set(int64(c.found), fmt.Sprint(c.found))
		if c.isUnseen(e, o) {
			c.unseen = append(c.unseen, e)
			continue
		}
		part := partOf(d)
		n := c.mix.copies(part, o.Seed, c.found)
		c.mix.add(part, e, n)
		for range n {
			c.learn = append(c.learn, e)
		}
	}
	return c, nil
}

// isUnseen says whether to hold e out: by its ids, so that equal demonstrations
// fall on one side.
func (c *collection) isUnseen(e batch.Example, o *sftOptions) bool {
	h, _ := strconv.ParseUint(fingerprint([]batch.Example{e})[:16], 16, 64)
	if !c.held[h] && len(c.held) < mostHeldOut && rng.Float64(o.Seed, rng.Stream("held out"), h) < o.HeldOut {
		c.held[h] = true
	}
	return c.held[h]
}

// keep writes what the demonstrations are, once.
func (r *sftRun) keep() error {
	path := filepath.Join(r.c.Out, madeOfFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return atomicfile.WriteJSON(path, r.made)
}

// demonstrations are those of Go files, then those of prose, then records.
func (r *sftRun) demonstrations() (demo.Stream, error) {
	o := &r.Options
	g, err := gosrc.New(gosrc.Options{Seed: o.Seed, MaxPrompt: o.MaxPrompt, MaxResponse: o.MaxResponse, Pool: parallel.New(r.b.Threads())})
	if err != nil {
		return nil, err
	}
	x, err := demo.New(demo.Options{Seed: o.Seed, MaxPrompt: o.MaxPrompt, MaxResponse: o.MaxResponse})
	if err != nil {
		return nil, err
	}
	records, documents, err := dataSources(o.Data)
	if err != nil {
		return nil, err
	}
	var streams []demo.Stream
	if documents != nil {
		docs := r.names.docs(documents.Documents())
		streams = append(streams, g.Demonstrations(ofGo(docs, true)), x.Demonstrations(ofGo(docs, false)))
	}
	streams = append(streams, recordDemonstrations(x, records, &r.made.Skipped))
	return func(yield func(demo.Demonstration, error) bool) {
		for _, s := range streams {
			for d, err := range s {
				if !yield(d, err) || err != nil {
					return
				}
			}
		}
	}, nil
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// fingerprint is a hash of everything that is learned.
func fingerprint(examples []batch.Example) string {
	h := xxh3.New128()
	var b []byte
	for _, e := range examples {
		b = binary.LittleEndian.AppendUint32(b[:0], uint32(len(e.IDs)))
		for i, id := range e.IDs {
			b = binary.LittleEndian.AppendUint32(b, uint32(id)<<1)
			if e.Train[i] {
				b[len(b)-4] |= 1
			}
		}
		h.Write(b)
	}
	return fmt.Sprintf("%x", h.Sum128().Bytes())
}

// hashWeights is a hash of the weights of a model: of its GGUF file, of its
// directory's file, or of the index of several files.
func hashWeights(path string) (string, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, bundle.WeightsFile)
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(path + ".index.json")
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := xxh3.New128()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum128().Bytes()), nil
}
