package main

import (
	"fmt"
	"math"
)

// fits prints the coefficients of ops.go, found by Remez exchange: polynomials
// with the least maximal relative error of the function they stand for.
func fits() {
	// exp(r) = 1 + r + r^2 q(r): an error d of q is an error d r^2/exp(r).
	c, e := remez(expRest, func(r float64) float64 { return r * r * math.Exp(-r) }, 4, -0.3475, 0.3475)
	fmt.Printf("exp: %.9e, relative error %.1e\n", c, e)
	// Phi(-a) = exp(-a^2/2) t P(q), t = 1/(1+0.35a), q = 1-2t.
	tail := func(q float64) float64 {
		t := (1 - q) / 2
		return mills((1/t-1)/0.35) / t
	}
	c, e = remez(tail, func(q float64) float64 { return 1 / tail(q) }, 8, -1, 1-2/(1+0.35*13.3))
	fmt.Printf("normal: %.9e, relative error %.1e\n", c, e)
	// tanh(x) = x + x z q(z), z = x^2: an error d of q is an error d x^3/tanh(x).
	c, e = remez(tanhRest, func(z float64) float64 {
		x := math.Sqrt(z)
		return z * x / math.Tanh(x)
	}, 4, 1e-9, tanhSmall*tanhSmall)
	fmt.Printf("tanh: %.9e, relative error %.1e\n", c, e)
}

// tanhRest is (tanh(x)/x-1)/z for z = x^2.
func tanhRest(z float64) float64 {
	if z < 1e-3 {
		return -1.0/3 + z*(2.0/15+z*(-17.0/315+z*62/2835))
	}
	x := math.Sqrt(z)
	return (math.Tanh(x)/x - 1) / z
}

// expRest is (exp(r)-1-r)/r^2.
func expRest(r float64) float64 {
	sum, term := 0.0, 0.5
	for k := 3.0; k < 20; k++ {
		sum += term
		term *= r / k
	}
	return sum
}

// mills is exp(a^2/2) Phi(-a).
func mills(a float64) float64 {
	if a < 7 {
		return 0.5 * math.Exp(a*a/2) * math.Erfc(a/math.Sqrt2)
	}
	f := 0.0 // continued fraction 1/(a+1/(a+2/(a+3/...)))
	for k := 80.0; k > 0; k-- {
		f = k / (a + f)
	}
	return 1 / math.Sqrt(2*math.Pi) / (a + f)
}

// remez fits a polynomial of the given degree to f in [lo, hi] so that the
// greatest w*|error| is least. It returns the coefficients and that error.
func remez(f, w func(float64) float64, degree int, lo, hi float64) (c []float64, worst float64) {
	const grid = 4000
	point := func(i, n int) float64 { return (lo+hi)/2 - (hi-lo)/2*math.Cos(math.Pi*float64(i)/float64(n)) }
	n := degree + 1
	x := make([]float64, n+1)
	for i := range x {
		x[i] = point(2*i+1, 2*n+2)
	}
	for range 30 {
		rows := make([][]float64, n+1)
		sign := 1.0
		for i := range rows {
			p := 1.0
			for range n {
				rows[i] = append(rows[i], p)
				p *= x[i]
			}
			rows[i] = append(rows[i], sign/w(x[i]), f(x[i]))
			sign = -sign
		}
		c = solve(rows)[:n]
		// The new points are the extremes between changes of sign.
		var peaks []float64
		var heights []float64
		for i := range grid + 1 {
			at := point(i, grid)
			e := (evaluate(c, at) - f(at)) * w(at)
			k := len(peaks) - 1
			if k < 0 || e < 0 != (heights[k] < 0) {
				peaks, heights = append(peaks, at), append(heights, e)
			} else if math.Abs(e) > math.Abs(heights[k]) {
				peaks[k], heights[k] = at, e
			}
		}
		for len(peaks) > n+1 {
			if last := len(peaks) - 1; math.Abs(heights[0]) < math.Abs(heights[last]) {
				peaks, heights = peaks[1:], heights[1:]
			} else {
				peaks, heights = peaks[:last], heights[:last]
			}
		}
		worst = 0
		for _, h := range heights {
			worst = max(worst, math.Abs(h))
		}
		if len(peaks) < n+1 {
			break
		}
		x = peaks
	}
	return c, worst
}

func evaluate(c []float64, x float64) float64 {
	y := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		y = y*x + c[i]
	}
	return y
}

// solve is Gaussian elimination with pivots on rows (A | b).
func solve(rows [][]float64) []float64 {
	n := len(rows)
	for i := range rows {
		p := i
		for j := i; j < n; j++ {
			if math.Abs(rows[j][i]) > math.Abs(rows[p][i]) {
				p = j
			}
		}
		rows[i], rows[p] = rows[p], rows[i]
		for j := range rows {
			if f := rows[j][i] / rows[i][i]; j != i {
				for k := i; k <= n; k++ {
					rows[j][k] -= f * rows[i][k]
				}
			}
		}
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = rows[i][n] / rows[i][i]
	}
	return x
}
