package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// inspectCmd shows what files hold.
type inspectCmd struct {
	Path string `arg:"" help:"Model directory, GGUF or safetensors file, tokenizer.json, or the name of a model of the store." placeholder:"PATH"`
	JSON bool   `name:"json" help:"Print one JSON object."`
	storeFlags
}

// Help is the detail of --help.
func (inspectCmd) Help() string {
	return `Examples:

    foundling inspect run1
    foundling inspect run1/model.safetensors --json
    foundling inspect model.gguf
    foundling inspect run1/tokenizer.json`
}

// inspection is what was found.
type inspection struct {
	Path       string             `json:"path"`
	Family     string             `json:"family,omitempty"`
	Config     any                `json:"config,omitempty"`
	Parameters int64              `json:"parameters,omitempty"`
	Active     int64              `json:"active_parameters,omitempty"` // that one token uses, of a mixture of experts
	Parts      []part             `json:"parts,omitempty"`
	Metadata   map[string]any     `json:"metadata,omitempty"` // of a GGUF file, long lists abridged
	Tensors    []tensorInfo       `json:"tensors,omitempty"`
	Formats    map[string]int64   `json:"formats,omitempty"` // bytes in each number format
	Tokenizer  *tokenizerInfo     `json:"tokenizer,omitempty"`
	Chat       bool               `json:"chat"`
	Template   string             `json:"chat_template,omitempty"`
	Generation *bundle.Generation `json:"generation,omitempty"`
	Notes      []string           `json:"notes,omitempty"`
}

// part is the parameters of one kind over all layers.
type part struct {
	Name  string  `json:"name"`
	Count int64   `json:"count"`
	Share float64 `json:"share"`
}

type tensorInfo struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int    `json:"bytes"`
}

type tokenizerInfo struct {
	Model   string   `json:"model,omitempty"` // of a GGUF file, as Pre
	Pre     string   `json:"pre,omitempty"`
	Tokens  int      `json:"tokens"`
	Special []string `json:"special"`
}

// kind is the tokenizer's model and pre-tokeniser where a GGUF file names them.
func (t *tokenizerInfo) kind() string {
	switch {
	case t.Model == "":
		return ""
	case t.Pre == "":
		return t.Model + ", "
	}
	return t.Model + " (" + t.Pre + "), "
}

// Run prints the inspection.
func (c *inspectCmd) Run() error {
	path, err := c.modelPath(c.Path)
	if err != nil {
		return err
	}
	z := inspection{Path: path}
	switch info, e := os.Stat(path); {
	case e != nil:
		return e
	case info.IsDir():
		err = z.directory(path)
	case filepath.Ext(path) == ".json":
		err = z.tokenizer(path)
	default:
		err = z.weights(path)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(z)
	}
	return z.print()
}

// directory shows a model directory; missing parts are notes.
func (z *inspection) directory(dir string) error {
	config, err := os.ReadFile(filepath.Join(dir, bundle.ConfigFile))
	if err != nil {
		return fmt.Errorf("%s is no model directory: %w", dir, err)
	}
	m, err := zoo.FromConfig(nil, config)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	z.model(m)
	z.bundle(dir)
	for _, err := range []error{z.tensors(dir), z.tokenizer(dir)} {
		z.note(err)
	}
	return nil
}

// model adds the configuration and the parameters by kind.
func (z *inspection) model(m model.Model) {
	z.Family, z.Config, z.Parts, z.Parameters = m.Family(), m.Config(), nil, 0
	parts := map[string]int{}
	for _, w := range m.Params() {
		name := partName(w.Name)
		if _, ok := parts[name]; !ok {
			parts[name] = len(z.Parts)
			z.Parts = append(z.Parts, part{Name: name})
		}
		z.Parts[parts[name]].Count += int64(w.Len())
		z.Parameters += int64(w.Len())
	}
	if n := int64(model.Active(m)); n < z.Parameters {
		z.Active = n
	}
	for i := range z.Parts {
		z.Parts[i].Share = float64(z.Parts[i].Count) / float64(z.Parameters)
	}
}

// partName is a parameter's name with the layer's number left out.
func partName(name string) string {
	fields := strings.Split(name, ".")
	for i, f := range fields {
		if strings.Trim(f, "0123456789") == "" {
			fields[i] = "*"
		}
	}
	return strings.Join(fields, ".")
}

func (z *inspection) tensors(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z.list(f)
	return nil
}

func (z *inspection) tokenizer(path string) error {
	t, err := tokenizer.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no tokenizer: %w", err)
	} else if err != nil {
		return err
	}
	z.Tokenizer = describeTokenizer(t)
	return nil
}

func describeTokenizer(t *tokenizer.Tokenizer) *tokenizerInfo {
	info := &tokenizerInfo{Tokens: t.VocabSize()}
	_, special := t.Tokens()
	for id, ok := range special {
		if ok {
			s, _ := t.Special(int32(id))
			info.Special = append(info.Special, s)
		}
	}
	return info
}

func (z *inspection) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	if z.Metadata != nil {
		printMetadata(w, z.Metadata)
	}
	if z.Config != nil {
		config, err := json.MarshalIndent(z.Config, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\n\nparameters\tcount\tshare\n", config)
		for _, p := range z.Parts {
			fmt.Fprintf(w, "%s\t%d\t%.1f %%\n", p.Name, p.Count, 100*p.Share)
		}
		fmt.Fprintf(w, "all\t%d\t100 %%\n", z.Parameters)
		if z.Active > 0 {
			fmt.Fprintf(w, "used by one token\t%d\t%.1f %%\n", z.Active, 100*float64(z.Active)/float64(z.Parameters))
		}
		fmt.Fprintln(w)
	}
	if len(z.Tensors) > 0 {
		fmt.Fprintln(w, "tensor\tformat\tshape\tbytes")
		total := 0
		for _, t := range z.Tensors {
			fmt.Fprintf(w, "%s\t%s\t%v\t%d\n", t.Name, t.DType, t.Shape, t.Bytes)
			total += t.Bytes
		}
		fmt.Fprintf(w, "%d tensors\t\t\t%d\n", len(z.Tensors), total)
		for _, name := range slices.Sorted(maps.Keys(z.Formats)) {
			fmt.Fprintf(w, "\t%s\t\t%d\n", name, z.Formats[name])
		}
		fmt.Fprintln(w)
	}
	if z.Tokenizer != nil {
		fmt.Fprintf(w, "tokenizer\t%s%d tokens, special: %s\n", z.Tokenizer.kind(), z.Tokenizer.Tokens, strings.Join(z.Tokenizer.Special, " "))
	}
	if z.Config != nil {
		fmt.Fprintf(w, "answers questions\t%v\n", z.Chat)
	}
	if z.Template != "" {
		fmt.Fprintf(w, "chat template\n%s\n", harmless(z.Template))
	}
	for _, n := range z.Notes {
		fmt.Fprintf(w, "note\t%s\n", n)
	}
	return w.Flush()
}
