package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// Name is a tensor by both its names, without ".weight" or ".bias". A star
// stands for the number of the layer, # for that of an expert.
type Name struct {
	GGUF, HF string
	Change   Change
}

// Change is what happens to a tensor on the way from Hugging Face to GGUF.
type Change int

// The changes.
const (
	Same Change = iota
	// RotaryQ and RotaryK: the rows of a head are interleaved, since rotations
	// turn neighbours there and the halves of a head here.
	RotaryQ
	RotaryK
	Transposed // matrices only
	PlusOne    // the scale of a norm is stored, not its distance from 1
	Experts    // the experts' matrices (rows, cols) are one (E, rows, cols)
	Flat       // (1,C) is stored as (C)
)

var suffixes = []string{".weight", ".bias"}

// match reads the numbers of name by a pattern.
func match(pattern, name string) (suffix string, numbers []int, ok bool) {
	for _, s := range suffixes {
		if rest, ok := strings.CutSuffix(name, s); ok {
			name, suffix = rest, s
			break
		}
	}
	p, n := strings.Split(pattern, "."), strings.Split(name, ".")
	if suffix == "" || len(p) != len(n) {
		return "", nil, false
	}
	for i := range p {
		if p[i] != "*" && p[i] != "#" {
			if p[i] != n[i] {
				return "", nil, false
			}
			continue
		}
		k, err := strconv.Atoi(n[i])
		if err != nil || k < 0 || strconv.Itoa(k) != n[i] {
			return "", nil, false
		}
		numbers = append(numbers, k)
	}
	return suffix, numbers, true
}

// fill writes numbers into a pattern.
func fill(pattern, suffix string, numbers ...int) string {
	p := strings.Split(pattern, ".")
	for i := range p {
		if (p[i] == "*" || p[i] == "#") && len(numbers) > 0 {
			p[i], numbers = strconv.Itoa(numbers[0]), numbers[1:]
		}
	}
	return strings.Join(p, ".") + suffix
}

// extras are tensors that the configuration absorbs.
var extras = map[string]bool{ropeFreqs: true, ropeLong: true, ropeShort: true}

// place is where a tensor of the model lies in the file.
type place struct {
	tensor *checkpoint.Tensor
	change Change
	expert int
}

// Weights are the tensors of a GGUF file under the names, shapes and orders that
// a model of Hugging Face has. Blocks stay as they are, except where a matrix is
// transposed or a norm shifted: such tensors are given as f32. What is not in
// the mapping is made when it is asked for.
type Weights struct {
	file     *checkpoint.File
	names    []string
	places   map[string]place
	heads    int
	keyHeads int
}

// newWeights renames the tensors of the file, and writes to config what their
// shapes say of the model.
func newWeights(f *Family, md Metadata, config map[string]any) (*Weights, error) {
	w := &Weights{file: md.File, places: map[string]place{}}
	w.heads, _ = config["num_attention_heads"].(int)
	if w.keyHeads, _ = config["num_key_value_heads"].(int); w.keyHeads == 0 {
		w.keyHeads = w.heads
	}
	embed, ok := md.File.Tensor("token_embd.weight")
	if !ok || len(embed.Shape) != 2 {
		return nil, fmt.Errorf("tensor %q is missing or no matrix: the file has a vocabulary, or a part of a model, alone", "token_embd.weight")
	}
	config["vocab_size"] = embed.Shape[0]
	head, ok := md.File.Tensor("output.weight")
	tied := !ok || head.Stored == embed.Stored && bytes.Equal(head.Data, embed.Data)
	config["tie_word_embeddings"] = tied
	for _, name := range md.File.Names() {
		t, _ := md.File.Tensor(name)
		if extras[name] || tied && name == "output.weight" {
			continue
		}
		w.add(f, name, t)
	}
	return w, nil
}

func (w *Weights) add(f *Family, name string, t *checkpoint.Tensor) {
	put := func(to string, p place) {
		w.places[to] = p
		w.names = append(w.names, to)
	}
	for _, n := range f.Names {
		suffix, numbers, ok := match(n.GGUF, name)
		if !ok {
			continue
		}
		if n.Change != Experts {
			put(fill(n.HF, suffix, numbers...), place{t, n.Change, 0})
			return
		}
		if len(t.Shape) != 3 || t.Shape[0] == 0 || t.Shape[0] > maxExperts || len(t.Data)/t.Shape[0] < minExpert {
			break
		}
		for e := range t.Shape[0] {
			put(fill(n.HF, suffix, append(numbers[:len(numbers):len(numbers)], e)...), place{t, Experts, e})
		}
		return
	}
	put(name, place{tensor: t}) // the model will say that it has no such parameter
}

// What a lying shape can make of the list of names is bounded by the number of
// experts and by the bytes that each must have.
const (
	maxExperts = 1 << 12
	minExpert  = 64
)

// Names lists the tensors in the order of the file.
func (w *Weights) Names() []string { return w.names }

// Tensor finds a tensor by the model's name.
func (w *Weights) Tensor(name string) (*checkpoint.Tensor, bool) {
	p, ok := w.places[name]
	if !ok {
		return nil, false
	}
	t := *p.tensor
	t.Name = name
	switch p.change {
	case RotaryQ:
		halves(&t, w.heads)
	case RotaryK:
		halves(&t, w.keyHeads)
	case Transposed:
		if len(t.Shape) == 2 {
			rows, cols := t.Shape[0], t.Shape[1]
			t.Shape = []int{cols, rows}
			asF32(&t, func(y, x []float32) {
				for i := range rows {
					for j := range cols {
						y[j*rows+i] = x[i*cols+j]
					}
				}
			})
		}
	case PlusOne:
		asF32(&t, func(y, x []float32) {
			for i := range x {
				y[i] = x[i] - 1
			}
		})
	case Experts:
		size := len(t.Data) / t.Shape[0]
		t.Shape, t.Data = t.Shape[1:], t.Data[p.expert*size:(p.expert+1)*size]
	case Flat:
		t.Shape = append([]int{1}, t.Shape...)
	}
	return &t, true
}

// Drop gives back the memory of the file that t was read from.
func (w *Weights) Drop(t *checkpoint.Tensor) {
	p, ok := w.places[t.Name]
	if ok && p.change != Experts {
		t = p.tensor
	}
	w.file.Drop(t)
}

// asF32 replaces the values of t by what change makes of them. A format that
// cannot be converted stays: reading it is an error that names the tensor.
func asF32(t *checkpoint.Tensor, change func(y, x []float32)) {
	x := make([]float32, t.Len())
	if t.Float32s(x) != nil {
		return
	}
	y := make([]float32, len(x))
	change(y, x)
	t.DType, t.Stored, t.Data = dtype.F32, "F32", make([]byte, 0, 4*len(y))
	for _, v := range y {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(v))
	}
}

// halves orders the rows of each head by halves, where the file has neighbours.
func halves(t *checkpoint.Tensor, heads int) {
	if len(t.Shape) == 0 || heads <= 0 || t.Shape[0] == 0 || t.Shape[0]%(2*heads) != 0 {
		return // the model's shapes are other ones, which it will say
	}
	rows := t.Shape[0]
	size := len(t.Data) / rows
	out := make([]byte, len(t.Data))
	for to := range rows {
		from := interleaved(to, rows/heads)
		copy(out[to*size:(to+1)*size], t.Data[from*size:])
	}
	t.Data = out
}

// interleaved is where row i, of heads of d rows ordered by halves, lies in a
// GGUF file.
func interleaved(i, d int) int {
	head, r := i/d*d, i%d
	return head + r%(d/2)*2 + r/(d/2)
}
