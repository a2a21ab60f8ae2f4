package kernel

import (
	"unsafe"

	"github.com/foundling-lm/foundling/tensor/dtype"
)

func roundBF16(x float32) uint16 { return dtype.ToBF16(x) }

// gemmPurego is the reference: plain Go on panels of 4 x 4.
func gemmPurego() gemmKernels {
	f32 := gemmFamily{
		mr: 4, nr: 4, kc: 512, mb: 64, nb: 64, ku: 1, elem: 4,
		packA: packPlain(0, false), packB: packPlain(4, false),
		mul: mulPlain, toBF16: vecPurego().ToBF16,
	}
	bf16 := f32
	bf16.packA, bf16.packB = packPlain(0, true), packPlain(4, true)
	return gemmKernels{&f32, &bf16}
}

// packPlain makes the packer of f32 panels of the given width: depth by depth,
// the lanes beside each other. A width of zero is that of the lanes given: the
// last panel of A is as narrow as its rows. Round rounds the values to bf16.
func packPlain(width int, round bool) func(unsafe.Pointer, *operand, int, int, int, int) {
	return func(dst unsafe.Pointer, v *operand, lane, lanes, k, n int) {
		packPanel(dst, max(width, lanes), v, lane, lanes, k, n, round)
	}
}

// packPanel writes element (lane+l, k+i) to dst[i*width+l] for lanes lanes of
// depth n, and zeros for the lanes up to width.
func packPanel(dst unsafe.Pointer, width int, v *operand, lane, lanes, k, n int, round bool) {
	d := unsafe.Slice((*float32)(dst), n*width)
	if lanes < width {
		clear(d)
	}
	kStep := v.stride
	if v.along {
		kStep = 1
	}
	for l := range lanes {
		at := v.index(lane+l, k)
		switch {
		case v.bf16 != nil:
			for i, o := 0, l; i < n; i, o = i+1, o+width {
				d[o] = dtype.FromBF16(v.bf16[at+i*kStep])
			}
		case round:
			for i, o := 0, l; i < n; i, o = i+1, o+width {
				d[o] = dtype.FromBF16(dtype.ToBF16(v.f32[at+i*kStep]))
			}
		default:
			for i, o := 0, l; i < n; i, o = i+1, o+width {
				d[o] = v.f32[at+i*kStep]
			}
		}
	}
}

// mulPlain multiplies panels of 4 x 4. Conversions keep the compiler from fusing
// a product with a sum on some processors and not on others.
func mulPlain(c *blockCall) {
	for l := 0; l < c.cols; l += 4 {
		b := unsafe.Slice((*[4]float32)(unsafe.Add(c.b, l*c.k*4)), c.k)
		for i := 0; i < c.rows; i += 4 {
			r := min(4, c.rows-i)
			a := unsafe.Slice((*float32)(unsafe.Add(c.a, i*c.k*4)), c.k*r)
			for q := range r {
				in, out := c.in.at(i+q, l/4), c.out.at(i+q, l/4)
				var s0, s1, s2, s3 float32
				for k, p := range b {
					x := a[k*r+q]
					s0 += float32(x * p[0])
					s1 += float32(x * p[1])
					s2 += float32(x * p[2])
					s3 += float32(x * p[3])
				}
				sum := [4]float32{s0, s1, s2, s3}
				if in.p != nil {
					for e, v := range (*[4]float32)(in.p) {
						sum[e] += v
					}
				}
				*(*[4]float32)(out.p) = sum
			}
		}
	}
}
