package kernel

import "unsafe"

// InPlace sees data as a right operand (k, n) in the order in which the products
// of this set read it, to be written column by column or row by row and
// multiplied without packing. It reports false where the order needs more room
// than k*n f32 values, or another format: pack then.
func (s *Set) InPlace(data []byte, k, n int, p Precision) (Packed, bool) {
	f := s.gemm.family(p)
	base := unsafe.Pointer(unsafe.SliceData(data))
	if p != F32 || f.elem != 4 || f.ku != 1 || k > f.kc || n%f.nr != 0 || len(data) < 4*k*n || uintptr(base)%cacheLine != 0 {
		return Packed{}, false
	}
	return Packed{K: k, N: n, Precision: p, Data: data, set: s.Name, lanes: f.nr}, true
}

// values are those of an operand of InPlace: panels of lanes columns, row by row.
func (p *Packed) values() []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(p.Data))), p.K*p.N)
}

// SetColumn writes column j of an operand of InPlace; x has K values.
func (p *Packed) SetColumn(j int, x []float32) {
	w := p.lanes
	panel := p.values()[j/w*w*p.K+j%w:]
	for i, v := range x[:p.K] {
		panel[i*w] = v
	}
}

// SetRow writes row i of an operand of InPlace; x has N values.
func (p *Packed) SetRow(i int, x []float32) {
	w, v := p.lanes, p.values()
	for l := 0; l < p.N; l += w {
		copy(v[l*p.K+i*w:][:w], x[l:])
	}
}
