package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/corpus"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

type tokenizerCmd struct {
	Train  tokenizerTrainCmd  `cmd:"" help:"Learn a tokenizer from text."`
	Encode tokenizerEncodeCmd `cmd:"" help:"Text to token ids."`
	Decode tokenizerDecodeCmd `cmd:"" help:"Token ids to text."`
}

type tokenizerTrainCmd struct {
	Data         []string `help:"File or folder of text: source code, .txt, .md, .jsonl (also .gz, .zst). Repeat for more." placeholder:"PATH" sep:"none" required:""`
	More         []string `arg:"" optional:"" name:"path" help:"More files and folders, as after --data."`
	Vocab        int      `help:"Tokens, bytes and special tokens included." default:"8192"`
	Out          string   `help:"File to write." default:"tokenizer.json"`
	Pattern      string   `help:"How text is cut before merging: ${enum}." enum:"gpt2,gpt4" default:"gpt4"`
	Special      []string `help:"Special token; repeat for more. Default: the chat format's. An empty one alone means none." placeholder:"TOKEN" sep:"none"`
	MaxBytes     byteSize `help:"Learn from a random sample of this size; 0 takes all. K, M, G are 1024, 1024^2, 1024^3." default:"0" placeholder:"SIZE"`
	MinFrequency int      `help:"Least number of times that a pair must occur to be merged." default:"2"`
	Seed         uint64   `help:"Chooses the sample." default:"1"`
	Threads      int      `help:"Threads; 0 means all processors. The result does not depend on it." default:"0"`
}

// Help is the detail of --help.
func (tokenizerTrainCmd) Help() string {
	return `Examples:

    foundling tokenizer train --data src --vocab 8192 --out tokenizer.json
    foundling tokenizer train --data a.txt --data b.jsonl --max-bytes 50M`
}

// Run learns and saves.
func (c *tokenizerTrainCmd) Run(ctx context.Context) error {
	if err := checkThreads(c.Threads); err != nil {
		return err
	}
	if len(c.Special) == 0 {
		c.Special = chat.SpecialTokens()
	} else if len(c.Special) == 1 && c.Special[0] == "" {
		c.Special = nil
	}
	o := tokenizer.TrainOptions{
		VocabSize: c.Vocab, Pattern: c.Pattern, Special: c.Special, Threads: c.Threads,
		MinFrequency: c.MinFrequency, MaxBytes: int64(c.MaxBytes), Seed: c.Seed,
	}
	if c.Vocab <= 0 { // 0 would mean the default
		return usageError{fmt.Errorf("--vocab is %d: it must be at least %d, 256 bytes and %d special tokens", c.Vocab, 256+len(c.Special), len(c.Special))}
	}
	if err := o.Validate(); err != nil {
		return usageError{err}
	}
	files, err := corpus.Open(append(c.Data, c.More...), corpus.Options{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(c.Out), 0o755); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	start := time.Now()
	p := newProgress("reading")
	defer p.Close()
	o.Progress = func(done, total int) { p.Set("learning tokens", int64(done), int64(total)) }
	var readErr error
	t, err := tokenizer.Train(ctx, texts(files, p, &readErr), o)
	if ctx.Err() != nil {
		return interrupted("%s is not written", c.Out)
	}
	if err = errors.Join(readErr, err); err != nil {
		return err
	}
	if err := t.Save(c.Out); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	p.Close()
	s, err := files.Stats()
	if err != nil {
		return err
	}
	fmt.Printf("%s: %d tokens learned from %d documents of %.1f MB in %.1f s\n",
		c.Out, t.VocabSize(), s.Total.Documents, float64(s.Total.Bytes)/1e6, time.Since(start).Seconds())
	if s.InvalidUTF8.Documents > 0 {
		fmt.Fprintf(os.Stderr, "note: %d bytes in %d documents are not UTF-8 and were replaced\n", s.InvalidUTF8.Bytes, s.InvalidUTF8.Documents)
	}
	if t.VocabSize() < c.Vocab {
		fmt.Fprintf(os.Stderr, "note: the text has no more pairs that occur %d times: give more text for %d tokens\n", c.MinFrequency, c.Vocab)
	}
	return nil
}

// texts is the texts of a corpus; an error ends them and is stored in *err.
func texts(c *corpus.Corpus, p *progress, err *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		var bytes int64
		for d, e := range c.Documents() {
			if *err = e; e != nil {
				return
			}
			bytes += int64(len(d.Text))
			p.Set(fmt.Sprintf("reading %d MB", bytes>>20), 0, 0)
			if !yield(d.Text) {
				return
			}
		}
	}
}

// openTokenizer reads the vocabulary of a path or of a model of the store.
func (f storeFlags) openTokenizer(name string) (*tokenizer.Tokenizer, error) {
	path, err := f.modelPath(name)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	return bundle.OpenTokenizer(path)
}

type tokenizerEncodeCmd struct {
	Model   string `help:"Model directory, GGUF file, tokenizer.json, tokenizer.model, .tiktoken or rwkv_vocab_*.txt, or the name of a model of the store." required:"" placeholder:"PATH"`
	Special bool   `help:"Special tokens in the text become their ids, instead of being text."`
	JSONL   bool   `name:"jsonl" help:"Read {\"text\":...} a line, answer {\"ids\":[...]} a line."`
	storeFlags
}

// Help is the detail of --help.
func (tokenizerEncodeCmd) Help() string {
	return `Reads standard input, any bytes, and prints ids separated by spaces.
JSON cannot hold text that is not UTF-8: {"bytes":"<base64>"} can.

Examples:

    foundling tokenizer encode --model tokenizer.json < main.go
    foundling tokenizer encode --model model-Q8_0.gguf --special < prompt
    echo '{"text":"hello"}' | foundling tokenizer encode --model run1 --jsonl`
}

// Run answers standard input.
func (c *tokenizerEncodeCmd) Run(ctx context.Context) error {
	t, err := c.openTokenizer(c.Model)
	if err != nil {
		return err
	}
	encode := t.Encode
	if c.Special {
		encode = t.EncodeSpecial
	}
	if c.JSONL {
		return eachLine(ctx, os.Stdin, os.Stdout, func(line []byte) (any, error) {
			r, err := parseRecord(line)
			if err != nil {
				return nil, err
			}
			text, ok := r.text()
			if !ok {
				return nil, errors.New(`field text is missing: give {"text":...}`)
			}
			ids := encode(text)
			return record{IDs: &ids}, nil
		})
	}
	text, err := readInput(ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(os.Stdout, 1<<16)
	var digits []byte
	for i, id := range encode(text) {
		if i > 0 {
			w.WriteByte(' ')
		}
		digits = strconv.AppendInt(digits[:0], int64(id), 10)
		w.Write(digits)
	}
	w.WriteByte('\n')
	return flush(w)
}

type tokenizerDecodeCmd struct {
	Model       string `help:"Model directory, GGUF file, tokenizer.json, tokenizer.model, .tiktoken or rwkv_vocab_*.txt, or the name of a model of the store." required:"" placeholder:"PATH"`
	SkipSpecial bool   `help:"Leave special tokens out instead of writing them as text."`
	JSONL       bool   `name:"jsonl" help:"Read {\"ids\":[...]} a line, answer {\"text\":...} a line."`
	storeFlags
}

// Help is the detail of --help.
func (tokenizerDecodeCmd) Help() string {
	return `Reads ids from standard input and writes the bytes that encode read: exactly
those, unless the vocabulary normalises text or lacks characters of it.
With --jsonl, text that is not UTF-8 is answered as {"bytes":"<base64>"}.

Examples:

    foundling tokenizer encode --model run1 < a | foundling tokenizer decode --model run1 | cmp - a
    echo '{"ids":[72,105]}' | foundling tokenizer decode --model run1 --jsonl`
}

// Run answers standard input.
func (c *tokenizerDecodeCmd) Run(ctx context.Context) error {
	t, err := c.openTokenizer(c.Model)
	if err != nil {
		return err
	}
	decode := t.DecodeSpecial
	if c.SkipSpecial {
		decode = t.Decode
	}
	if c.JSONL {
		return eachLine(ctx, os.Stdin, os.Stdout, func(line []byte) (any, error) {
			r, err := parseRecord(line)
			if err != nil {
				return nil, err
			}
			if r.IDs == nil {
				return nil, errors.New(`field ids is missing: give {"ids":[...]}`)
			}
			if err := checkIDs(*r.IDs, t.VocabSize()); err != nil {
				return nil, err
			}
			text := decode(*r.IDs)
			if !utf8.ValidString(text) {
				return record{Bytes: []byte(text)}, nil
			}
			return record{Text: &text}, nil
		})
	}
	input, err := readInput(ctx)
	if err != nil {
		return err
	}
	ids, err := parseIDs(input)
	if err == nil {
		err = checkIDs(ids, t.VocabSize())
	}
	if err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	w := bufio.NewWriter(os.Stdout)
	w.WriteString(decode(ids))
	return flush(w)
}

func parseIDs(s string) ([]int32, error) {
	var ids []int32
	for field := range strings.FieldsSeq(s) {
		id, err := strconv.ParseInt(field, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("id %d is %q: ids are whole numbers separated by spaces", len(ids)+1, field)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

func checkIDs(ids []int32, vocab int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= vocab {
			return fmt.Errorf("id %d is %d, outside the vocabulary of %d: were these ids made with another tokenizer?", i+1, id, vocab)
		}
	}
	return nil
}

// readInput is all of standard input.
func readInput(ctx context.Context) (string, error) {
	data, err := io.ReadAll(interruptible(ctx, os.Stdin))
	if ctx.Err() != nil {
		return "", interrupted("nothing is done")
	}
	if err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return string(data), nil
}

func flush(w *bufio.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}

// byteSize is a number of bytes, on the command line with an optional unit.
type byteSize int64

// String is the size in the largest unit that it is a whole number of.
func (b byteSize) String() string {
	for i, unit := range "TGMK" {
		if shift := 10 * (4 - i); b != 0 && b>>shift<<shift == b {
			return fmt.Sprintf("%d%c", int64(b>>shift), unit)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// UnmarshalText reads 1000, 64K, 50M, 2G, also with B, iB.
func (b *byteSize) UnmarshalText(text []byte) error {
	s := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(string(text)), "B"), "I")
	shift := 0
	if n := len(s); n > 0 {
		if unit := strings.IndexByte("KMGT", s[n-1]); unit >= 0 {
			shift, s = 10*(unit+1), s[:n-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n<<shift>>shift != n {
		return fmt.Errorf("%q is no size: write a number of bytes such as 1000000, 64K, 50M, 2G", text)
	}
	*b = byteSize(n << shift)
	return nil
}
