package foundling

import (
	"fmt"
	"io"
	"math"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/op"
)

// Fingerprint is a hash of what texts depend on besides what is asked for: weights,
// adapter, vocabulary, kernels and the options of the engine that change bits. It reads
// all weights.
func (m *Model) Fingerprint() [16]byte {
	h := xxh3.New128()
	fmt.Fprintf(h, "%s; %s; %s; %+v;", m.Bundle.Model.Family(), m.Backend.Kernels(), m.Engine.Bits(), m.Bundle.Model.Dims())
	for _, b := range m.Bundle.TokenBytes() {
		fmt.Fprintf(h, "%d:%s", len(b), b)
	}
	var changes op.Changes
	if m.adapter != nil {
		changes = m.adapter.Changes()
	}
	for _, w := range m.Bundle.Model.Params() {
		m.hash(h, w)
		if l := changes[w]; l != nil {
			fmt.Fprintf(h, "LoRA %x;", math.Float64bits(l.Scale))
			m.hash(h, l.A)
			m.hash(h, l.B)
		}
	}
	return h.Sum128().Bytes()
}

// hash writes a matrix.
func (m *Model) hash(h io.Writer, w *op.Param) {
	fmt.Fprintf(h, "%s %v %v;", w.Name, w.T.DType, w.Shape)
	switch mem := w.T.Mem.(type) {
	case *tensor.Host:
		h.Write(mem.Data)
	case interface{ Laid() []byte }: // what the processor laid out for products
		h.Write(mem.Laid())
	default:
		panic(fmt.Sprintf("foundling: the memory of %s is a %T, which has no fingerprint", w.Name, mem))
	}
}
