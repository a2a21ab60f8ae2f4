package kernel

// checkRoPE returns D/2.
func checkRoPE(op string, x, cos, sin []float32) int {
	same(op, len(x), 2*len(cos))
	same(op, len(x), 2*len(sin))
	return len(cos)
}

func ropeHalfGo(x, cos, sin []float32) {
	n := checkRoPE("RoPEHalf", x, cos, sin)
	for i, c := range cos {
		x[i], x[n+i] = rotate(x[i], x[n+i], c, sin[i])
	}
}

func ropePairGo(x, cos, sin []float32) {
	checkRoPE("RoPEPair", x, cos, sin)
	for i, c := range cos {
		x[2*i], x[2*i+1] = rotate(x[2*i], x[2*i+1], c, sin[i])
	}
}

// rotate turns the point (a, b) by the angle with cosine c and sine s.
func rotate(a, b, c, s float32) (float32, float32) {
	return float32(a*c) - float32(b*s), float32(b*c) + float32(a*s)
}
