// Package nn is the layers of which architectures are made. A layer is a struct
// of parameters; its Apply runs it on a Pass. Weight names of checkpoints stand
// beside the fields of the architectures as struct tags, and Params collects
// them:
//
//	type block struct {
//		Norm nn.RMSNorm `weight:"input_layernorm"`
//		...
//	}
//	Layers []block `weight:"model.layers"` // model.layers.0.input_layernorm.weight
//
// Not here: whole architectures (model/gpt2, model/llama) and arithmetic
// (tensor/op).
package nn

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

var paramType = reflect.TypeFor[*op.Param]()

// Params walks the struct that m points to, gives every parameter its name from
// the weight tags on the way to it, and returns them in order. Fields without a
// tag are skipped; nil parameters (no bias) too.
func Params(m any) []*op.Param {
	var out []*op.Param
	walk(reflect.ValueOf(m).Elem(), "", &out)
	return out
}

func walk(v reflect.Value, prefix string, out *[]*op.Param) {
	switch {
	case v.Type() == paramType:
		if w := v.Interface().(*op.Param); w != nil {
			w.Name = prefix
			if w.T != nil {
				w.T.Name = prefix
			}
			*out = append(*out, w)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), prefix+"."+strconv.Itoa(i), out)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			tag, ok := v.Type().Field(i).Tag.Lookup("weight")
			if !ok {
				continue
			}
			name := tag
			if prefix != "" && tag != "" {
				name = prefix + "." + tag
			} else if tag == "" {
				name = prefix
			}
			walk(v.Field(i), name, out)
		}
	default:
		panic(fmt.Sprintf("nn: weight tag on a %v", v.Type()))
	}
}

// NewParam allocates a parameter on b; with a nil backend it has a shape and no
// memory, which is enough to count and name it.
func NewParam(b tensor.Backend, shape ...int) *op.Param {
	if b != nil {
		return op.NewParam(b, "", shape...)
	}
	rows := 1
	for _, n := range shape[:len(shape)-1] {
		rows *= n
	}
	cols := shape[len(shape)-1]
	return &op.Param{Shape: shape, T: &tensor.Tensor{Rows: rows, Cols: cols, Stride: cols}}
}

// Normal fills w with normal numbers of deviation std: element i is a function
// of (seed, the parameter's name, i).
func Normal(b tensor.Backend, w *op.Param, seed uint64, std float64) {
	stream := rng.Stream(w.Name)
	fill(b, w, func(i int) float64 { return std * rng.Normal(seed, stream, uint64(i)) })
}

// Fill sets all elements of w to x.
func Fill(b tensor.Backend, w *op.Param, x float64) {
	fill(b, w, func(int) float64 { return x })
}

func fill(b tensor.Backend, w *op.Param, f func(i int) float64) {
	x := make([]float32, w.Len())
	for i := range x {
		x[i] = float32(f(i))
	}
	b.Upload(w.T, x)
	w.Changed()
}

// ResidualStd is the deviation for projections into the residual stream: std
// divided by the square root of their number (Radford et al. 2019, section 2.3).
func ResidualStd(std float64, layers int) float64 { return std / math.Sqrt(2*float64(layers)) }
