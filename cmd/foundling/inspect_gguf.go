package main

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// weights shows a file of weights. A GGUF file is a whole model, or says why not.
func (z *inspection) weights(path string) error {
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z.list(f)
	md := f.GGUF()
	if md == nil {
		return nil
	}
	z.Metadata = map[string]any{}
	for key, v := range md {
		z.Metadata[key] = abridged(v)
	}
	t, err := tokenizer.FromGGUF(md)
	if err == nil {
		z.Tokenizer = describeTokenizer(t)
		z.Tokenizer.Model, _ = md["tokenizer.ggml.model"].(string)
		z.Tokenizer.Pre, _ = md["tokenizer.ggml.pre"].(string)
	}
	z.note(err)
	if len(f.Names()) == 0 {
		z.Notes = append(z.Notes, "the file has no tensors: it is a vocabulary alone")
		z.Template, _ = md[gguf.TemplateKey].(string)
		return nil
	}
	z.bundle(path)
	return nil
}

// list adds the tensors of f and the sum of each format.
func (z *inspection) list(f *checkpoint.File) {
	z.Formats = map[string]int64{}
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		z.Tensors = append(z.Tensors, tensorInfo{name, t.Stored, t.Shape, len(t.Data)})
		z.Formats[t.Stored] += int64(len(t.Data))
	}
}

// bundle adds what only the whole model knows.
func (z *inspection) bundle(path string) {
	b, err := bundle.Open(nil, path)
	if err != nil {
		z.note(err)
		return
	}
	z.model(b.Model)
	z.Chat, z.Generation = b.Chat, &b.Generation
	if b.Template != nil {
		z.Template = b.Template.Source
	}
	z.note(b.NoChat)
}

func (z *inspection) note(err error) {
	if err != nil && !slices.Contains(z.Notes, err.Error()) {
		z.Notes = append(z.Notes, err.Error())
	}
}

// longList is the number of elements from which a list of metadata is abridged.
const longList = 16

// list of metadata that is too long to show.
type abridgedList struct {
	Type  string `json:"type"`
	Count int    `json:"count"`
	First any    `json:"first"`
}

func abridged(v any) any {
	r := reflect.ValueOf(v)
	if r.CanFloat() && (math.IsNaN(r.Float()) || math.IsInf(r.Float(), 0)) {
		return fmt.Sprint(v) // JSON has no such numbers
	}
	if r.Kind() == reflect.Slice && r.Len() <= longList && r.Len() > 0 && r.Index(0).CanFloat() {
		return fmt.Sprint(v)
	}
	if r.Kind() != reflect.Slice || r.Len() <= longList {
		return v
	}
	first := r.Slice(0, 4).Interface()
	if r.Index(0).CanFloat() {
		first = fmt.Sprint(first)
	}
	return abridgedList{r.Type().Elem().String(), r.Len(), first}
}

// printMetadata writes the keys in order, a line each.
func printMetadata(w interface{ Write([]byte) (int, error) }, md map[string]any) {
	fmt.Fprintln(w, "metadata\ttype\tvalue")
	for _, key := range slices.Sorted(maps.Keys(md)) {
		switch v := md[key].(type) {
		case abridgedList:
			fmt.Fprintf(w, "%s\t%s x %d\t%.60q ...\n", key, v.Type, v.Count, fmt.Sprint(v.First))
		case string:
			text := strings.ReplaceAll(v, "\n", `\n`)
			if len(text) > 60 {
				text = text[:60] + " ..."
			}
			fmt.Fprintf(w, "%s\tstring\t%q\n", key, text)
		default:
			fmt.Fprintf(w, "%s\t%T\t%v\n", key, v, v)
		}
	}
	fmt.Fprintln(w)
}

// harmless is text of a file without what a terminal would obey.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
