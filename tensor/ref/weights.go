package ref

import (
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// constant is the memory of Weights: their values.
type constant struct{ x []float64 }

// Bytes is the size of the values.
func (c *constant) Bytes() int { return 8 * len(c.x) }

// Weights keeps the values of data.
func (*Backend) Weights(dt dtype.Type, rows, cols int, data []byte) (*tensor.Tensor, error) {
	if values, _ := dt.Block(); cols%values != 0 {
		return nil, fmt.Errorf("rows of %d values are not whole blocks of %v", cols, dt)
	}
	if want := rows * dt.RowBytes(cols); len(data) != want {
		return nil, fmt.Errorf("%d rows of %d values in %v take %d bytes, not %d", rows, cols, dt, want, len(data))
	}
	x := make([]float32, rows*cols)
	dtype.Dequantize(dt, x, data)
	c := &constant{make([]float64, len(x))}
	for i, v := range x {
		if c.x[i] = float64(v); dt.IsBlock() && c.x[i]-c.x[i] != 0 {
			return nil, fmt.Errorf("row %d: a scale is NaN or infinite", i/cols)
		}
	}
	return &tensor.Tensor{DType: dt, Rows: rows, Cols: cols, Stride: cols, Mem: c}, nil
}

// rounded is a as it enters a product with weights of format dt.
func rounded(a *tensor.Tensor, dt dtype.Type) *tensor.Tensor {
	A := of(a)
	r := tensor.Over(tensor.NewHost(8*a.Len()), dtype.F64, a.Rows, a.Cols)
	R := of(r)
	for i := range a.Rows {
		for j := range a.Cols {
			switch {
			case dt == dtype.BF16:
				R.set(i, j, float64(dtype.FromBF16(dtype.ToBF16(float32(A.at(i, j))))))
			case dt.IsBlock():
				R.set(i, j, rounded32(A.row(i, a.Cols)[j/32*32:j/32*32+32], j%32))
			default:
				R.set(i, j, A.at(i, j))
			}
		}
	}
	return r
}

// rounded32 is value j of 32 that become int8 with one scale.
func rounded32(x []float64, j int) float64 {
	var most float32
	for _, v := range x {
		most = max(most, float32(math.Abs(v)))
	}
	if most < 0x1p-100 {
		return 0
	}
	scale := most / 127
	return math.RoundToEven(float64(float32(x[j])*(1/scale))) * float64(scale)
}
