package gguf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
)

// Sources are the tensors of a model, given under Hugging Face's names, as a
// GGUF file has them. A tensor without a name there is an error.
func (f *Family) Sources(c Values, ts []checkpoint.Source) ([]checkpoint.Source, error) {
	var out []checkpoint.Source
	experts := map[string]int{} // name -> place in out
	for i := range ts {
		t := ts[i]
		n, suffix, numbers := f.find(t.Name)
		if n == nil {
			return nil, fmt.Errorf("tensor %s: GGUF files of architecture %s have no name for it", t.Name, f.Architecture)
		}
		name := fill(n.GGUF, suffix, numbers...)
		if n.Change == Experts {
			if _, ok := experts[name]; !ok {
				experts[name] = len(out)
				out = append(out, checkpoint.Source{Name: name})
			}
			if err := join(&out[experts[name]], t, numbers[len(numbers)-1]); err != nil {
				return nil, err
			}
			continue
		}
		s, err := n.Change.source(c, t)
		if err != nil {
			return nil, err
		}
		s.Name = name
		out = append(out, s)
	}
	if f.OwnHead && !slices.ContainsFunc(out, func(s checkpoint.Source) bool { return s.Name == "output.weight" }) {
		if i := slices.IndexFunc(out, func(s checkpoint.Source) bool { return s.Name == "token_embd.weight" }); i >= 0 {
			head := out[i]
			head.Name = "output.weight"
			out = append(out, head)
		}
	}
	return append(out, ropeTensors(c)...), nil
}

// find is the name of a tensor of the model.
func (f *Family) find(name string) (n *Name, suffix string, numbers []int) {
	for i := range f.Names {
		if suffix, numbers, ok := match(f.Names[i].HF, name); ok {
			return &f.Names[i], suffix, numbers
		}
	}
	return nil, "", nil
}

// source is t with its values changed.
func (c Change) source(v Values, t checkpoint.Source) (checkpoint.Source, error) {
	q, kv := v.Heads()
	read := t.Read
	switch c {
	case RotaryQ, RotaryK:
		heads := q
		if c == RotaryK {
			heads = kv
		}
		if heads == 0 || t.Shape[0]%(2*heads) != 0 {
			return t, fmt.Errorf("tensor %s of shape %v: its rows are not whole pairs of %d heads", t.Name, t.Shape, heads)
		}
		t.Read = func(dst []float32) error {
			x := make([]float32, len(dst))
			if err := read(x); err != nil {
				return err
			}
			rows := t.Shape[0]
			size := len(x) / rows
			for from := range rows {
				to := interleaved(from, rows/heads)
				copy(dst[to*size:(to+1)*size], x[from*size:])
			}
			return nil
		}
	case Transposed:
		if len(t.Shape) != 2 {
			break // a bias
		}
		rows, cols := t.Shape[0], t.Shape[1]
		t.Shape = []int{cols, rows}
		t.Read = func(dst []float32) error {
			x := make([]float32, len(dst))
			if err := read(x); err != nil {
				return err
			}
			for i := range rows {
				for j := range cols {
					dst[j*rows+i] = x[i*cols+j]
				}
			}
			return nil
		}
	case PlusOne:
		t.Read = func(dst []float32) error {
			err := read(dst)
			for i := range dst {
				dst[i]++
			}
			return err
		}
	case Flat:
		t.Shape = t.Shape[1:]
	}
	return t, nil
}

// join adds the matrix of an expert to all. They come in order.
func join(all *checkpoint.Source, t checkpoint.Source, expert int) error {
	if all.Shape == nil {
		all.Shape = append([]int{0}, t.Shape...)
	}
	if !slices.Equal(all.Shape[1:], t.Shape) || all.Shape[0] != expert {
		return fmt.Errorf("tensor %s of shape %v does not follow the experts before it, of shape %v", t.Name, t.Shape, all.Shape)
	}
	before, size := all.Read, 1
	for _, d := range t.Shape {
		size *= d
	}
	all.Shape[0]++
	all.Read = func(dst []float32) error {
		if before != nil {
			if err := before(dst[:len(dst)-size]); err != nil {
				return err
			}
		}
		return t.Read(dst[len(dst)-size:])
	}
	return nil
}

// layer is the number of the layer of a tensor in a GGUF file, -1 without.
func layer(name string) int {
	rest, ok := strings.CutPrefix(name, "blk.")
	if !ok {
		return -1
	}
	n := 0
	if _, err := fmt.Sscanf(rest, "%d.", &n); err != nil {
		return -1
	}
	return n
}
