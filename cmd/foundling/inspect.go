package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
	Path string `arg:"" help:"Model directory, safetensors file or tokenizer.json." placeholder:"PATH"`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// Help is the detail of --help.
func (inspectCmd) Help() string {
	return `Examples:

    foundling inspect run1
    foundling inspect run1/model.safetensors --json
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
	Tensors    []tensorInfo       `json:"tensors,omitempty"`
	Tokenizer  *tokenizerInfo     `json:"tokenizer,omitempty"`
	Chat       bool               `json:"chat"`
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
	Tokens  int      `json:"tokens"`
	Special []string `json:"special"`
}

// Run prints the inspection.
func (c *inspectCmd) Run() error {
	z := inspection{Path: c.Path}
	var err error
	switch info, e := os.Stat(c.Path); {
	case e != nil:
		return e
	case info.IsDir():
		err = z.directory(c.Path)
	case filepath.Ext(c.Path) == ".json":
		err = z.tokenizer(c.Path)
	default:
		err = z.tensors(c.Path)
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
	z.Family, z.Config = m.Family(), m.Config()
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
	if b, err := bundle.Open(nil, dir); err != nil {
		z.Notes = append(z.Notes, err.Error())
	} else {
		z.Chat, z.Generation = b.Chat, &b.Generation
	}
	for _, err := range []error{z.tensors(dir), z.tokenizer(filepath.Join(dir, bundle.TokenizerFile))} {
		if err != nil {
			z.Notes = append(z.Notes, err.Error())
		}
	}
	return nil
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
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		z.Tensors = append(z.Tensors, tensorInfo{name, t.Stored, t.Shape, len(t.Data)})
	}
	return nil
}

func (z *inspection) tokenizer(path string) error {
	t, err := tokenizer.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no tokenizer: %w", err)
	} else if err != nil {
		return err
	}
	info := &tokenizerInfo{Tokens: t.VocabSize()}
	_, special := t.Tokens()
	for id, ok := range special {
		if ok {
			s, _ := t.Special(int32(id))
			info.Special = append(info.Special, s)
		}
	}
	z.Tokenizer = info
	return nil
}

func (z *inspection) print() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
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
		fmt.Fprintf(w, "%d tensors\t\t\t%d\n\n", len(z.Tensors), total)
	}
	if z.Tokenizer != nil {
		fmt.Fprintf(w, "tokenizer\t%d tokens, special: %s\n", z.Tokenizer.Tokens, strings.Join(z.Tokenizer.Special, " "))
	}
	if z.Config != nil {
		fmt.Fprintf(w, "answers questions\t%v\n", z.Chat)
	}
	for _, n := range z.Notes {
		fmt.Fprintf(w, "note\t%s\n", n)
	}
	return w.Flush()
}
