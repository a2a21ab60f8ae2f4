package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate/grammar"
	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/schema"
)

// grammarCmds are about languages that output must fit.
type grammarCmds struct {
	Check   grammarCheckCmd   `cmd:"" help:"Say whether a schema, expression or grammar is supported, and how."`
	Accepts grammarAcceptsCmd `cmd:"" help:"Say whether a text fits: exit code 0 or 1."`
}

type grammarCheckCmd struct {
	languageFlags
	Model string `help:"Model directory, GGUF or tokenizer file, or the name of a model of the store: count the tokens that the shortest text needs." placeholder:"PATH"`
	JSON  bool   `name:"json" help:"Print one JSON object."`
	storeFlags
}

// Help is the detail of --help.
func (grammarCheckCmd) Help() string {
	return `Exit code 0: supported. 1: rejected; what is to blame is named by its JSON pointer.
The least number of tokens is that of the shortest text, the end token included; with
fewer, generate refuses to begin. A tokenizer file alone has no end token: one is added.

Examples:

    foundling grammar check --schema person.json
    foundling grammar check --schema person.json --model run1 --json
    foundling grammar check --regex '[A-Z]{2}-[0-9]+'
    foundling grammar check --grammar list.gbnf
    foundling grammar check --choice yes --choice no --model run1`
}

// grammarReport is what check found.
type grammarReport struct {
	Language  string         `json:"language"`
	Supported bool           `json:"supported"`
	Rejected  *rejection     `json:"rejected,omitempty"`
	Notes     []languageNote `json:"notes,omitempty"`
	Keywords  []keywordCount `json:"keywords,omitempty"`
	Shortest  string         `json:"shortest,omitempty"`
	Bytes     int            `json:"minimum_bytes"`
	Tokens    int            `json:"minimum_tokens,omitempty"` // under Model, the end token included
	Model     string         `json:"model,omitempty"`
}

// rejection is why a language is not supported.
type rejection struct {
	Pointer string `json:"pointer,omitempty"`
	Keyword string `json:"keyword,omitempty"`
	Reason  string `json:"reason"`
	Remedy  string `json:"remedy,omitempty"`
}

// languageNote is something without the effect that one might expect.
type languageNote struct {
	Pointer string `json:"pointer"`
	Keyword string `json:"keyword,omitempty"`
	Message string `json:"message"`
}

// keywordCount is what is done with a keyword that the schema has.
type keywordCount struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
	How   string `json:"how"`
}

// Run prints the report.
func (c *grammarCheckCmd) Run(ctx context.Context) error {
	if err := c.check(); err != nil {
		return err
	}
	text, compile, err := c.source()
	if err != nil {
		return err
	}
	r, err := unless(ctx, func() (*grammarReport, error) { return c.report(text, compile) })
	if r == nil {
		return err
	}
	return errors.Join(r.print(c.JSON), err)
}

// report compiles the language. An error beside a report is why it is rejected.
func (c *grammarCheckCmd) report(text []byte, compile func(languageOptions) (*language, error)) (*grammarReport, error) {
	r := &grammarReport{Language: c.kind()}
	if c.Schema != "" {
		r.Keywords = schemaKeywords(text)
	}
	l, err := compile(languageOptions{lenient: c.Lenient})
	if err != nil {
		r.Rejected = rejected(err)
		return r, errors.New("rejected: " + err.Error())
	}
	r.Supported = true
	for _, n := range l.notes {
		r.Notes = append(r.Notes, languageNote{n.Pointer, n.Keyword, n.Message})
	}
	shortest := l.start.Shortest()
	r.Bytes, r.Shortest = len(shortest), strings.ToValidUTF8(string(shortest[:min(len(shortest), 2000)]), "\uFFFD")
	if c.Model == "" {
		return r, nil
	}
	v, err := c.vocabulary(c.Model)
	if err != nil {
		return nil, err
	}
	g, err := grammar.New(v, l.start, grammar.Options{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Model, err)
	}
	r.Model, r.Tokens = c.Model, g.Minimum()
	return r, nil
}

// kind is the way in which the language is given.
func (f *languageFlags) kind() string {
	switch {
	case f.Schema != "":
		return "schema"
	case f.Grammar != "":
		return "grammar"
	case f.Regex != "":
		return "regex"
	}
	return "choice"
}

func rejected(err error) *rejection {
	var e *schema.Error
	if errors.As(err, &e) {
		return &rejection{e.Document + "#" + e.Location(), e.Keyword, e.Message, e.Remedy}
	}
	return &rejection{Reason: err.Error()}
}

// shown is as much of a text as the table shows.
func shown(s string) string {
	const most = 200
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return harmless(s)
}

func (r *grammarReport) print(asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	if r.Supported {
		fmt.Fprintf(w, "%s: supported\n", r.Language)
	} else {
		fmt.Fprintf(w, "%s: rejected\n", r.Language)
		if r.Rejected.Pointer != "" {
			fmt.Fprintf(w, "at\t%s\n", shown(r.Rejected.Pointer))
		}
		fmt.Fprintf(w, "because\t%s\n", harmless(r.Rejected.Reason))
		if r.Rejected.Remedy != "" {
			fmt.Fprintf(w, "remedy\t%s\n", harmless(r.Rejected.Remedy))
		}
	}
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note\t%s\n", harmless(schema.Note(n).String()))
	}
	if len(r.Keywords) > 0 {
		fmt.Fprint(w, "\nkeyword\ttimes\twhat is done\n")
		for _, k := range r.Keywords {
			fmt.Fprintf(w, "%s\t%d\t%s\n", shown(k.Name), k.Count, k.How)
		}
		fmt.Fprintln(w)
	}
	if r.Supported {
		fmt.Fprintf(w, "shortest text\t%d bytes: %s\n", r.Bytes, shown(r.Shortest))
	}
	if r.Tokens > 0 {
		fmt.Fprintf(w, "least tokens\t%d under %s, the end token included\n", r.Tokens, r.Model)
	}
	return w.Flush()
}

// schemaKeywords counts the keywords of a schema and says what is done with each;
// nil where it is no JSON.
func schemaKeywords(text []byte) []keywordCount {
	var root any
	if json.Unmarshal(text, &root) != nil {
		return nil
	}
	how := map[string]string{}
	for _, k := range schema.Keywords() {
		how[k.Name] = k.How
	}
	counts := map[string]int{}
	var walk func(x any, names bool)
	walk = func(x any, names bool) {
		switch x := x.(type) {
		case []any:
			for _, e := range x {
				walk(e, false)
			}
		case map[string]any:
			for key, e := range x {
				if names { // key is the user's word
					walk(e, false)
					continue
				}
				counts[key]++
				if _, known := how[key]; !known { // its value may be anything
					how[key] = unknownKeyword
				}
				if how[key] != unknownKeyword && !slices.Contains(dataKeywords, key) {
					walk(e, slices.Contains(namedSchemas, key))
				}
			}
		}
	}
	walk(root, false)
	var out []keywordCount
	for name, n := range counts {
		out = append(out, keywordCount{name, n, how[name]})
	}
	slices.SortFunc(out, func(a, b keywordCount) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// unknownKeyword is what is done with a keyword that no draft has, as the
// specification wants it.
const unknownKeyword = "unknown: an annotation"

// Keywords whose values are data, and those whose values are schemas by name.
var (
	dataKeywords = []string{"const", "enum", "default", "examples", "required", "dependentRequired", "$vocabulary"}
	namedSchemas = []string{"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"}
)

// vocabulary is that of a model with its end tokens, or that of a tokenizer file with
// one that is added.
func (f storeFlags) vocabulary(name string) (*grammar.Vocabulary, error) {
	path, err := f.modelPath(name)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	if info.IsDir() || filepath.Ext(path) == bundle.GGUFSuffix {
		if z, err := bundle.Open(nil, path); err == nil && z.Tokenizer != nil && len(z.Stops()) > 0 {
			_, special := z.Tokenizer.Tokens()
			tokens := z.TokenBytes()
			return grammar.NewVocabulary(tokens, slices.Grow(special, len(tokens))[:len(tokens)], z.Stops())
		}
	}
	t, err := bundle.OpenTokenizer(path)
	if err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	}
	tokens, special := t.Tokens()
	return grammar.NewVocabulary(append(tokens, nil), append(special, true), []int32{int32(len(tokens))})
}

type grammarAcceptsCmd struct {
	languageFlags
	Batch   bool          `help:"Read JSON objects, one a line, each with schema, regex, grammar or choices and instance or text; answer one a line: compiled, accepts, error."`
	JSON    bool          `name:"json" help:"Print the answer as one JSON object."`
	Timeout time.Duration `help:"With --batch, the longest time for one line." default:"20s"`
}

// Help is the detail of --help.
func (grammarAcceptsCmd) Help() string {
	return `Reads a text from standard input. Exit code 0: it fits; 1: it does not; 2: wrong
usage, or a language that is not supported. White space around a JSON text and any
between its parts is fine; a line break at the end of other texts may be left out.
Formats are enforced, but where $schema names 2019-09 or 2020-12 they are the
annotations that these drafts make them; output is held to them in any case. 1.0 is an
integer, as drafts from 6 on have it; output has 1.

With --batch each line is an object. {"schema":...,"instance":...} asks about an
instance as it is written there; "text" in place of "instance" is a string that holds
the text, which need not be JSON. "regex", "grammar" (with "notation": gbnf, ebnf or
lark; without it the text tells) and "choices" (a list) in place of "schema" are
strings, and so is their instance. Every line gets an answer:
{"compiled":true,"accepts":false,"error":"..."}.

Examples:

    foundling grammar accepts --schema person.json < ada.json
    printf AB-12 | foundling grammar accepts --regex '[A-Z]{2}-[0-9]+'
    echo '{"schema":{"type":"integer"},"instance":3}' | foundling grammar accepts --batch`
}

// Run answers by its exit code, or line by line.
func (c *grammarAcceptsCmd) Run(ctx context.Context) error {
	if c.Batch {
		if c.languageFlags.Schema != "" || c.Regex != "" || c.Grammar != "" || len(c.Choice) > 0 {
			return usageError{errors.New("--batch takes the languages from the lines: leave out --schema, --regex, --grammar and --choice")}
		}
		return (&acceptsBatch{lenient: c.Lenient, timeout: c.Timeout}).run(ctx, os.Stdin, os.Stdout)
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.Schema == "-" || c.Grammar == "-" {
		return usageError{errors.New("standard input is the text: give the language as a file")}
	}
	_, compile, err := c.source()
	if err != nil {
		return err
	}
	l, err := unless(ctx, func() (*language, error) { return compile(languageOptions{lenient: c.Lenient, loose: true}) })
	if errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		return usageError{err}
	}
	text, err := readLimited(interruptible(ctx, os.Stdin), maxLanguageBytes)
	if err != nil {
		return err
	}
	a := l.answer(text)
	if c.JSON {
		if err := json.NewEncoder(os.Stdout).Encode(a); err != nil {
			return err
		}
	}
	if !a.Accepts {
		return errors.New(a.Error)
	}
	return nil
}

// acceptsAnswer is the answer to one question.
type acceptsAnswer struct {
	Compiled bool   `json:"compiled"`
	Accepts  bool   `json:"accepts"`
	Error    string `json:"error,omitempty"`
}

// answer says whether the language has a text, and if not, where reading failed.
func (l *language) answer(text []byte) acceptsAnswer {
	if l.json {
		text = bytes.Trim(text, " \t\r\n")
	}
	ok, at := machine.Accepts(l.start, text)
	if !ok && !l.json && bytes.HasSuffix(text, []byte("\n")) {
		ok, _ = machine.Accepts(l.start, bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")))
	}
	switch {
	case ok:
		return acceptsAnswer{Compiled: true, Accepts: true}
	case at == len(text):
		return acceptsAnswer{Compiled: true, Error: fmt.Sprintf("the text is a beginning only: more must follow its %d bytes", at)}
	}
	return acceptsAnswer{Compiled: true, Error: fmt.Sprintf("the text does not fit at byte %d: %s", at, around(text, at))}
}

// around shows the place of a fault.
func around(text []byte, at int) string {
	return fmt.Sprintf("%q behind %q", text[at:min(len(text), at+20)], text[max(0, at-20):at])
}

// readLimited reads all of r, which must not have more than limit bytes.
func readLimited(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d MB", limit>>20)
	}
	return data, err
}
