//go:build !purego

package kernel

func (k *vecAsm) layerNormOf(y, x, w, b []float32, eps float32) (mean, rstd float32) {
	n := len(x)
	same("LayerNorm", n, len(y))
	sameOrNil("LayerNorm", n, w)
	sameOrNil("LayerNorm", n, b)
	if n == 0 {
		return 0, 0
	}
	mean = float32(float64(k.sumOf(x)) / float64(n))
	var acc lanes
	m := n &^ (len(acc) - 1)
	if m > 0 {
		k.deviations(noescape(&acc), data(x), m, mean)
	}
	if m < n {
		var p lanes
		for i := copy(p[:], x[m:]); i < len(p); i++ {
			p[i] = mean
		}
		k.deviations(noescape(&acc), noescape(&p[0]), len(acc), mean)
	}
	rstd = rstdOf(foldSum(&acc), n, eps)
	k.normOf(y, x, w, b, mean, rstd)
	return mean, rstd
}

func (k *vecAsm) rmsNormOf(y, x, w []float32, eps float32) (rstd float32) {
	n := len(x)
	same("RMSNorm", n, len(y))
	sameOrNil("RMSNorm", n, w)
	if n == 0 {
		return 0
	}
	rstd = rstdOf(k.sumSquaresOf(x), n, eps)
	k.normOf(y, x, w, nil, 0, rstd)
	return rstd
}

// fillOrNil is fill for an array that may be left out.
func (p *pad) fillOrNil(a []float32, from int) *float32 {
	if a == nil {
		return nil
	}
	return p.fill(a[from:])
}

// normOf is y = (x-mean)*rstd*w + b.
func (k *vecAsm) normOf(y, x, w, b []float32, mean, rstd float32) {
	n := len(x)
	m := n &^ (k.width - 1)
	if m > 0 {
		k.norm(data(y), data(x), data(w), data(b), m, mean, rstd)
	}
	if m < n {
		var px, pw, pb pad
		k.norm(px.fill(x[m:]), noescape(&px[0]), pw.fillOrNil(w, m), pb.fillOrNil(b, m), k.width, mean, rstd)
		copy(y[m:], px[:])
	}
}

func (k *vecAsm) layerNormBackOf(dx, dw, db, dy, x, w []float32, mean, rstd float32) {
	checkNormBack("LayerNormBack", dx, dw, db, dy, x, w)
	n := float32(len(dx))
	sumG, sumGH := k.normBackSumsOf(dw, db, dy, x, w, mean, rstd)
	k.normBackOf(dx, dy, x, w, mean, rstd, sumG/n, sumGH/n)
}

// rmsNormBackOf is the gradient of LayerNorm with a mean fixed at 0.
func (k *vecAsm) rmsNormBackOf(dx, dw, dy, x, w []float32, rstd float32) {
	checkNormBack("RMSNormBack", dx, dw, nil, dy, x, w)
	_, sumGH := k.normBackSumsOf(dw, nil, dy, x, w, 0, rstd)
	k.normBackOf(dx, dy, x, w, 0, rstd, 0, sumGH/float32(len(dx)))
}

// normBackSumsOf is normBackSumsGo on 16 lanes.
func (k *vecAsm) normBackSumsOf(dw, db, dy, x, w []float32, mean, rstd float32) (sumG, sumGH float32) {
	const block = len(pad{})
	var accG, accGH lanes
	n := len(dy)
	m := n &^ (block - 1)
	if m > 0 {
		k.normBackSums(noescape(&accG), noescape(&accGH), data(dw), data(db), data(dy), data(x), data(w), m, mean, rstd)
	}
	if m < n { // dy = 0 adds nothing
		var pdw, pdb, pdy, px, pw pad
		k.normBackSums(noescape(&accG), noescape(&accGH), pdw.fillOrNil(dw, m), pdb.fillOrNil(db, m),
			pdy.fill(dy[m:]), px.fillWith(x[m:], mean), pw.fillOrNil(w, m), block, mean, rstd)
		if dw != nil {
			copy(dw[m:], pdw[:])
		}
		if db != nil {
			copy(db[m:], pdb[:])
		}
	}
	return foldSum(&accG), foldSum(&accGH)
}

func (k *vecAsm) normBackOf(dx, dy, x, w []float32, mean, rstd, meanG, meanGH float32) {
	n := len(dx)
	m := n &^ (k.width - 1)
	if m > 0 {
		k.normBack(data(dx), data(dy), data(x), data(w), m, mean, rstd, meanG, meanGH)
	}
	if m < n {
		var pdy, px, pw pad
		k.normBack(noescape(&px[0]), pdy.fill(dy[m:]), px.fill(x[m:]), pw.fillOrNil(w, m), k.width, mean, rstd, meanG, meanGH)
		copy(dx[m:], px[:])
	}
}

func (k *vecAsm) ropeHalfOf(x, cos, sin []float32) {
	n := checkRoPE("RoPEHalf", x, cos, sin)
	a, b := x[:n], x[n:]
	m := n &^ (k.width - 1)
	if m > 0 {
		k.ropeHalf(data(a), data(b), data(cos), data(sin), m)
	}
	if m < n {
		var pa, pb, pc, ps pad
		k.ropeHalf(pa.fill(a[m:]), pb.fill(b[m:]), pc.fill(cos[m:]), ps.fill(sin[m:]), k.width)
		copy(a[m:], pa[:])
		copy(b[m:], pb[:])
	}
}

func (k *vecAsm) ropePairOf(x, cos, sin []float32) {
	checkRoPE("RoPEPair", x, cos, sin)
	m := len(x) &^ (k.width - 1)
	if m > 0 {
		k.ropePair(data(x), data(cos), data(sin), m)
	}
	if m < len(x) {
		var px, pc, ps pad
		k.ropePair(px.fill(x[m:]), pc.fill(cos[m/2:]), ps.fill(sin[m/2:]), k.width)
		copy(x[m:], px[:])
	}
}
