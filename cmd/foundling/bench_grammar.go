package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// benchBudget is the tokens that the texts of the grammar bench may have, so that
// masks look after the end as they do in use.
const benchBudget = 4096

// Real schemas and a real vocabulary, where the folder of test data is known.
var (
	benchSchemas    = filepath.Join("structured", "jsonschemabench_maskbench.jsonl.gz")
	benchVocabulary = filepath.Join("tokenizers", "llama3.2")
)

// grammarCases measure masks and compiling on one thread: the schemas of --schemas
// and their valid instances, as tokens of --tokenizer. Mask times are those of
// reading one token and finding what may follow it; compile times are those from the
// bytes of a schema to the first mask.
func grammarCases() []benchCase {
	names := []string{
		"grammar/mask/median", "grammar/mask/mean", "grammar/mask/p99",
		"grammar/compile/median", "grammar/compile/p99",
		"grammar/schemas/compiled", "grammar/instances/read",
	}
	return []benchCase{{names, func(ctx context.Context, c *benchCmd) ([]benchRow, error) {
		return c.grammarRows(ctx, names)
	}}}
}

// benchSchema is a line of a file of schemas, in the format of MaskBench.
type benchSchema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema"`
	Tests  []struct {
		Valid bool            `json:"valid"`
		Data  json.RawMessage `json:"data"`
	} `json:"tests"`
}

func (c *benchCmd) grammarRows(ctx context.Context, names []string) ([]benchRow, error) {
	schemas, err := c.benchSchemas()
	if err != nil {
		return nil, err
	}
	v, encode, err := c.benchVocabulary()
	if err != nil {
		return nil, err
	}
	m := maskTimes{v: v, encode: encode}
	for _, s := range schemas {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m.schema(s)
	}
	if len(m.masks) == 0 || len(m.compiles) == 0 {
		return nil, fmt.Errorf("none of the %d schemas was compiled and has a valid instance that fits it", len(schemas))
	}
	slices.Sort(m.masks)
	slices.Sort(m.compiles)
	of := func(name, unit string, value float64, xs []float64) benchRow {
		return benchRow{name, value, unit, xs[0], xs[len(xs)-1], len(xs)}
	}
	count := func(name, unit string, n, of int) benchRow {
		return benchRow{name, float64(n), unit, float64(n), float64(n), of}
	}
	return []benchRow{
		of(names[0], "us", quantile(m.masks, 0.5), m.masks),
		of(names[1], "us", mean(m.masks), m.masks),
		of(names[2], "us", quantile(m.masks, 0.99), m.masks),
		of(names[3], "us", quantile(m.compiles, 0.5), m.compiles),
		of(names[4], "us", quantile(m.compiles, 0.99), m.compiles),
		count(names[5], "schemas", len(m.compiles), len(schemas)),
		count(names[6], "instances", m.read, m.instances),
	}, nil
}

// maskTimes collects times in microseconds.
type maskTimes struct {
	v               *grammar.Vocabulary
	encode          func(text []byte) []int32
	masks, compiles []float64
	instances, read int // valid instances of compiled schemas, and those read to the end
}

// schema measures one schema. One that is refused, or an instance that is, costs
// nothing here: bench is about time.
func (m *maskTimes) schema(s benchSchema) {
	at := time.Now()
	// Not as texts are written: instances may have 1.0 for an integer.
	x, err := schema.Compile(s.Schema, schema.Options{})
	if err != nil {
		return
	}
	start, err := x.Machine(shape.Format{})
	if err != nil {
		return
	}
	g, err := grammar.New(m.v, start, grammar.Options{})
	if err != nil {
		return
	}
	if _, err := g.Session().Mask(benchBudget); err != nil {
		return
	}
	m.compiles = append(m.compiles, microseconds(at))
	for _, t := range s.Tests {
		if !t.Valid {
			continue
		}
		m.instances++
		if m.instance(g, m.encode(t.Data)) {
			m.read++
		}
	}
}

// instance measures the masks along a text and says whether it was read to its end.
func (m *maskTimes) instance(g *grammar.Grammar, ids []int32) bool {
	s := g.Session()
	budget := max(benchBudget, g.Minimum()+len(ids))
	for i, id := range append(ids, m.v.End()[0]) {
		at := time.Now()
		if _, err := s.Mask(budget - i); err != nil {
			return false
		}
		if s.Accept(id) != nil {
			return false
		}
		m.masks = append(m.masks, microseconds(at))
	}
	return true
}

func microseconds(since time.Time) float64 { return float64(time.Since(since).Nanoseconds()) / 1e3 }

// quantile is the value of which q of the sorted xs are smaller, the upper of two.
func quantile(xs []float64, q float64) float64 {
	return xs[min(int(q*float64(len(xs))), len(xs)-1)]
}

func mean(xs []float64) (m float64) {
	for _, x := range xs {
		m += x
	}
	return m / float64(len(xs))
}

// benchSchemas reads the schemas of --schemas, of the folder of test data, or a few
// of our own.
func (c *benchCmd) benchSchemas() ([]benchSchema, error) {
	path := c.Schemas
	if data := os.Getenv("FOUNDLING_DATA"); path == "" && data != "" {
		path = filepath.Join(data, benchSchemas)
	}
	if path == "" {
		return parseSchemas("the built-in schemas", strings.NewReader(builtInSchemas))
	}
	f, err := openPlain(path)
	if err != nil {
		return nil, fmt.Errorf("--schemas: %w", err)
	}
	defer f.Close()
	return parseSchemas(path, f)
}

// plainFile is a file as it is read, unpacked where its name ends in .gz.
type plainFile struct {
	io.Reader
	io.Closer
}

// openPlain opens a file, plain or .gz.
func openPlain(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || !strings.HasSuffix(path, ".gz") {
		return f, err
	}
	r, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return plainFile{r, f}, nil
}

func parseSchemas(path string, r io.Reader) (list []benchSchema, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("--schemas: %s: %w", path, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			var s benchSchema
			if e := json.Unmarshal(line, &s); e != nil {
				return nil, fmt.Errorf("--schemas: %s, line %d: %w", path, n, e)
			}
			if len(s.Schema) == 0 {
				return nil, fmt.Errorf(`--schemas: %s, line %d: field schema is missing: a line is {"schema":...,"tests":[{"valid":true,"data":...}]}`, path, n)
			}
			list = append(list, s)
		}
		if err == io.EOF {
			return list, nil
		}
	}
}

// benchVocabulary lays out benchTokens.
func (c *benchCmd) benchVocabulary() (*grammar.Vocabulary, func([]byte) []int32, error) {
	tokens, special, encode, err := c.benchTokens()
	if err != nil {
		return nil, nil, err
	}
	v, err := grammar.NewVocabulary(append(tokens, nil), append(special, true), []int32{int32(len(tokens))})
	return v, encode, err
}

// benchTokens is the tokens of --tokenizer, Llama 3.2's from the folder of test data, or
// some made up of the same number, which of them are special, and their encoder.
func (c *benchCmd) benchTokens() (tokens [][]byte, special []bool, encode func([]byte) []int32, err error) {
	var t *tokenizer.Tokenizer
	switch data := os.Getenv("FOUNDLING_DATA"); {
	case c.Tokenizer != "":
		t, err = bundle.OpenTokenizer(c.Tokenizer)
	case data != "":
		t, err = packedTokenizer(filepath.Join(data, benchVocabulary))
	default:
		tokens = madeUpTokens(madeUpVocabulary)
		return tokens, make([]bool, len(tokens)), longestFirst(tokens), nil
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("--tokenizer: %w", err)
	}
	tokens, special = t.Tokens()
	return slices.Clone(tokens), slices.Clone(special), func(text []byte) []int32 { return t.Encode(string(text)) }, nil
}

// packedTokenizer reads encoder.json.gz and vocab.bpe.gz of a folder, in the manner of
// Llama 3.
func packedTokenizer(dir string) (*tokenizer.Tokenizer, error) {
	plain, err := os.MkdirTemp("", "foundling-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(plain)
	for _, name := range []string{"encoder.json", "vocab.bpe"} {
		if err := unpack(filepath.Join(dir, name+".gz"), filepath.Join(plain, name)); err != nil {
			return nil, err
		}
	}
	return tokenizer.LoadMerges(filepath.Join(plain, "encoder.json"), filepath.Join(plain, "vocab.bpe"), tokenizer.FileOptions{Pattern: "gpt4", IgnoreMerges: true})
}

// unpack writes a gzip file plain.
func unpack(from, to string) (err error) {
	r, err := openPlain(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if _, err = io.Copy(w, r); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}
