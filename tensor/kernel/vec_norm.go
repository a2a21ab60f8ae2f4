package kernel

import "math"

// rstdOf is 1/sqrt(sum/n+eps), sum being over the squares of n elements.
func rstdOf(sum float32, n int, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(sum)/float64(n)+float64(eps)))
}

func layerNormGo(y, x, w, b []float32, eps float32) (mean, rstd float32) {
	n := len(x)
	same("LayerNorm", n, len(y))
	sameOrNil("LayerNorm", n, w)
	sameOrNil("LayerNorm", n, b)
	if n == 0 {
		return 0, 0
	}
	mean = float32(float64(sumGo(x)) / float64(n))
	var squares float64
	for _, v := range x {
		d := float64(v - mean)
		squares += float64(d * d)
	}
	rstd = rstdOf(float32(squares), n, eps)
	normGo(y, x, w, b, mean, rstd)
	return mean, rstd
}

// normGo is y = (x-mean)*rstd*w + b.
func normGo(y, x, w, b []float32, mean, rstd float32) {
	for i, v := range x {
		h := float32((v - mean) * rstd)
		if w != nil {
			h = float32(h * w[i])
		}
		if b != nil {
			h += b[i]
		}
		y[i] = h
	}
}

func layerNormBackGo(dx, dw, db, dy, x, w []float32, mean, rstd float32) {
	checkNormBack("LayerNormBack", dx, dw, db, dy, x, w)
	n := float64(len(dx))
	sumG, sumGX := normBackSumsGo(dw, db, dy, x, w, mean, rstd)
	normBackGo(dx, dy, x, w, mean, rstd, float32(sumG/n), float32(sumGX/n))
}

func rmsNormGo(y, x, w []float32, eps float32) (rstd float32) {
	n := len(x)
	same("RMSNorm", n, len(y))
	sameOrNil("RMSNorm", n, w)
	if n == 0 {
		return 0
	}
	rstd = rstdOf(sumSquaresGo(x), n, eps)
	normGo(y, x, w, nil, 0, rstd)
	return rstd
}

// rmsNormBackGo is the gradient of LayerNorm with a mean fixed at 0.
func rmsNormBackGo(dx, dw, dy, x, w []float32, rstd float32) {
	checkNormBack("RMSNormBack", dx, dw, nil, dy, x, w)
	_, sumGX := normBackSumsGo(dw, nil, dy, x, w, 0, rstd)
	normBackGo(dx, dy, x, w, 0, rstd, 0, float32(sumGX/float64(len(dx))))
}

func checkNormBack(op string, dx, dw, db, dy, x, w []float32) {
	n := len(dx)
	same(op, n, len(dy))
	same(op, n, len(x))
	sameOrNil(op, n, dw)
	sameOrNil(op, n, db)
	sameOrNil(op, n, w)
}

// normBackSumsGo adds to dw and db and returns the sums of g and of g*h over the
// row, where h = (x-mean)*rstd and g = dy*w is the gradient of h.
func normBackSumsGo(dw, db, dy, x, w []float32, mean, rstd float32) (sumG, sumGX float64) {
	for i, d := range dy {
		h := float32((x[i] - mean) * rstd)
		if dw != nil {
			dw[i] += float32(d * h)
		}
		if db != nil {
			db[i] += d
		}
		if w != nil {
			d = float32(d * w[i])
		}
		sumG += float64(d)
		sumGX += float64(d) * float64(h)
	}
	return sumG, sumGX
}

// normBackGo is dx = rstd*(g - meanG - h*meanGX).
func normBackGo(dx, dy, x, w []float32, mean, rstd, meanG, meanGX float32) {
	for i, d := range dy {
		h := float32((x[i] - mean) * rstd)
		if w != nil {
			d = float32(d * w[i])
		}
		dx[i] = rstd * (d - meanG - float32(h*meanGX))
	}
}
