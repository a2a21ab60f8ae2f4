// Package prepare takes a corpus to token shards on disk: which documents lie on
// which side of the split, a tokenizer learned from the training side, and both
// sides as shards. Each step is a function of the files and the options, writes
// whole files only, and finds its finished work again when it is run a second
// time.
//
// Not here: reading files (text/corpus), the tokenizer (text/tokenizer), the
// shards' format (text/batch).
package prepare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// Options say what is read and how it is divided.
type Options struct {
	Corpus corpus.Options
	Split  corpus.SplitOptions
	// WithoutGenerated leaves out files that programs wrote: tables and rewrite
	// rules fill a third of a Go tree and teach little about the rest.
	WithoutGenerated bool
	// Keep is the share of documents that are used, chosen by the hash of their
	// text; 0 means all. Short runs read less than there is.
	Keep float64
}

// Data is a corpus divided in two.
type Data struct {
	Corpus *corpus.Corpus
	Sides  *corpus.Sides
	o      Options
}

// Open finds the files and decides the split.
func Open(paths []string, o Options) (*Data, error) {
	c, err := corpus.Open(paths, o.Corpus)
	if err != nil {
		return nil, err
	}
	d := &Data{Corpus: c, o: o}
	d.Sides, err = corpus.Split(o.filter(c.Documents()), o.Split)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// filter drops what the options leave out.
func (o Options) filter(docs text.Stream) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for d, err := range docs {
			if err == nil && (o.WithoutGenerated && d.Meta["generated"] == "true" || !o.keeps(d.Text)) {
				continue
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

func (o Options) keeps(text string) bool {
	return o.Keep <= 0 || o.Keep >= 1 || float64(xxh3.HashString(text)>>11)*0x1p-53 < o.Keep
}

// Texts is the texts of one side; an error ends them and is stored in *err.
func (d *Data) Texts(side corpus.Side, err *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for doc, e := range d.Sides.Documents(side) {
			if e != nil {
				*err = e
				return
			}
			if !yield(doc.Text) {
				return
			}
		}
	}
}

// Tokenizer loads the tokenizer at path, or learns it from the training side
// and saves it there.
func (d *Data) Tokenizer(ctx context.Context, path string, o tokenizer.TrainOptions) (*tokenizer.Tokenizer, error) {
	t, err := tokenizer.Load(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return t, err
	}
	var readErr error
	t, err = tokenizer.Train(ctx, d.Texts(corpus.Train, &readErr), o)
	if err = errors.Join(readErr, err); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return t, t.Save(path)
}

// Fingerprint names a tokenizer by a hash of what it does.
func Fingerprint(t *tokenizer.Tokenizer) string {
	data, err := t.MarshalJSON()
	if err != nil {
		panic("prepare: tokenizer: " + err.Error())
	}
	return fmt.Sprintf("%x", xxh3.Hash128(data).Bytes())
}

// Shards are both sides on disk.
type Shards struct {
	Train, Validation *batch.Shards
}

// Close unmaps the files.
func (s *Shards) Close() error { return errors.Join(s.Train.Close(), s.Validation.Close()) }

// Shards encodes both sides below dir, or opens them where they are whole. End
// is the token that ends a document. Progress is told the bytes encoded.
func (d *Data) Shards(ctx context.Context, dir string, t *tokenizer.Tokenizer, end int32, progress func(bytes int64)) (*Shards, error) {
	source, err := d.Sides.Fingerprint()
	if err != nil {
		return nil, err
	}
	o := batch.ShardOptions{
		Vocab: t.VocabSize(), End: end, TokenBytes: TokenLengths(t),
		Tokenizer: Fingerprint(t), Source: source,
	}
	var out Shards
	for _, side := range []struct {
		name string
		side corpus.Side
		to   **batch.Shards
	}{{"train", corpus.Train, &out.Train}, {"validation", corpus.Validation, &out.Validation}} {
		path := filepath.Join(dir, side.name)
		if _, err := batch.WriteShards(ctx, path, d.encode(side.side, t, end, progress), o); err != nil {
			return nil, err
		}
		if *side.to, err = batch.OpenShards(path); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// encode is the documents of a side as ids, each ending with end.
func (d *Data) encode(side corpus.Side, t *tokenizer.Tokenizer, end int32, progress func(int64)) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		var ids []int32
		var done int64
		for doc, err := range d.Sides.Documents(side) {
			if err != nil {
				yield(nil, err)
				return
			}
			ids = t.EncodeAppend(ids[:0], doc.Text)
			if end >= 0 {
				ids = append(ids, end)
			}
			done += int64(len(doc.Text))
			if progress != nil {
				progress(done)
			}
			if !yield(ids, nil) {
				return
			}
		}
	}
}

// TokenLengths is the bytes of text that each id stands for.
func TokenLengths(t *tokenizer.Tokenizer) []int32 {
	tokens, special := t.Tokens()
	n := make([]int32, len(tokens))
	for i := range tokens {
		if !special[i] {
			n[i] = int32(len(tokens[i]))
		}
	}
	return n
}
