package dtype

// The formats of 256 values, the "k" of ggml: sub-blocks have small integer
// scales, which multiply the scales of the super-block.

// Q2_K: 16 bytes of scale (low half) and offset (high half), 64 bytes of codes,
// d, dmin. Within each half of 128 values byte l of 32 holds the codes of
// l, l+32, l+64 and l+96.

func decodeQ2_K(y []float32, b []byte) {
	d, dmin := getF16(b[80:]), getF16(b[82:])
	for i := range 256 {
		s := b[i/16]
		q := b[16+i/128*32+i%32] >> (i % 128 / 32 * 2) & 3
		y[i] = float32(d*float32(s&15)*float32(q)) - float32(dmin*float32(s>>4))
	}
}

func encodeQ2_K(b []byte, x []float32) {
	var codes [256]uint8
	var scales, mins [16]int
	d, dmin := affine{levels: 3, top: 15}.super(x, codes[:], scales[:], mins[:])
	clear(b)
	putF16(b[80:], d)
	putF16(b[82:], dmin)
	for i := range 16 {
		b[i] = byte(scales[i] | mins[i]<<4)
	}
	for i, q := range codes {
		b[16+i/128*32+i%32] |= q << (i % 128 / 32 * 2)
	}
}

// Q3_K: 32 bytes with the third bit of the codes, 64 bytes with the other two,
// placed as in Q2_K, 12 bytes of 6-bit scales, d. The bit is set for codes of 0
// and above.

func decodeQ3_K(y []float32, b []byte) {
	d := getF16(b[108:])
	for i := range 256 {
		q := int(b[32+i/128*32+i%32] >> (i % 128 / 32 * 2) & 3)
		if b[i%32]>>(i/32)&1 == 0 {
			q -= 4
		}
		s := b[96+i/16%8]>>(i/128*4)&15 | b[104+i/16%4]>>(i/64*2)&3<<4
		y[i] = d * float32(int(s)-32) * float32(q)
	}
}

func encodeQ3_K(b []byte, x []float32) {
	var codes [256]uint8
	var scales [16]int
	d := linearCodes(4).super(x, codes[:], scales[:], 32)
	clear(b)
	putF16(b[108:], d)
	for i, s := range scales {
		s += 32
		b[96+i%8] |= byte(s&15) << (i / 8 * 4)
		b[104+i%4] |= byte(s>>4) << (i / 4 * 2)
	}
	for i, q := range codes {
		b[32+i/128*32+i%32] |= q & 3 << (i % 128 / 32 * 2)
		b[i%32] |= q >> 2 << (i / 32)
	}
}

// Q4_K: d, dmin, 12 bytes of 6-bit scales and offsets, 128 bytes of codes. Byte
// l of 32 holds the codes of l and l+32 of 64 values.

func decodeQ4_K(y []float32, b []byte) {
	d, dmin := getF16(b), getF16(b[2:])
	for i := range 8 {
		s, m := scaleOffset(b[4:16], i)
		scale, offset := float32(d*float32(s)), float32(dmin*float32(m))
		qs, shift := b[16+i/2*32:][:32], i%2*4
		for l, q := range qs {
			y[32*i+l] = float32(scale*float32(q>>shift&15)) - offset
		}
	}
}

func encodeQ4_K(b []byte, x []float32) {
	var codes [256]uint8
	var scales, mins [8]int
	d, dmin := affine{levels: 15, top: 63}.super(x, codes[:], scales[:], mins[:])
	clear(b)
	putF16(b, d)
	putF16(b[2:], dmin)
	putScalesOffsets(b[4:16], &scales, &mins)
	for i, q := range codes {
		b[16+i/64*32+i%32] |= q << (i / 32 % 2 * 4)
	}
}

// scaleOffset unpacks the scale and the offset of sub-block i of 8 from 12
// bytes: the first four of each lie in the lower 6 bits of 8 bytes; the last
// four have their lower halves in the last 4 bytes and their upper 2 bits above
// the first.
func scaleOffset(b []byte, i int) (scale, offset byte) {
	if i < 4 {
		return b[i] & 63, b[i+4] & 63
	}
	return b[i+4]&15 | b[i-4]>>6<<4, b[i+4]>>4 | b[i]>>6<<4
}

func putScalesOffsets(b []byte, scales, offsets *[8]int) {
	for i := range 4 {
		s, m := scales[i+4], offsets[i+4]
		b[i] = byte(scales[i] | s>>4<<6)
		b[i+4] = byte(offsets[i] | m>>4<<6)
		b[i+8] = byte(s&15 | m&15<<4)
	}
}

// Q5_K: as Q4_K with 32 bytes of fifth bits before the codes: bit i of byte l is
// that of value l of sub-block i.

func decodeQ5_K(y []float32, b []byte) {
	d, dmin := getF16(b), getF16(b[2:])
	for i := range 8 {
		s, m := scaleOffset(b[4:16], i)
		scale, offset := float32(d*float32(s)), float32(dmin*float32(m))
		qs, shift := b[48+i/2*32:][:32], i%2*4
		for l, q := range qs {
			y[32*i+l] = float32(scale*float32(q>>shift&15|b[16+l]>>i&1<<4)) - offset
		}
	}
}

func encodeQ5_K(b []byte, x []float32) {
	var codes [256]uint8
	var scales, mins [8]int
	d, dmin := affine{levels: 31, top: 63}.super(x, codes[:], scales[:], mins[:])
	clear(b)
	putF16(b, d)
	putF16(b[2:], dmin)
	putScalesOffsets(b[4:16], &scales, &mins)
	for i, q := range codes {
		b[48+i/64*32+i%32] |= q & 15 << (i / 32 % 2 * 4)
		b[16+i%32] |= q >> 4 << (i / 32)
	}
}

// Q6_K: 128 bytes with the lower halves of the codes, 64 with the upper 2 bits,
// 16 signed scales, d. Within each half of 128 values byte l of 64 lower halves
// holds those of l and l+64, byte l of 32 the upper bits of l, l+32, l+64, l+96.

func decodeQ6_K(y []float32, b []byte) {
	d := getF16(b[208:])
	for i := range 256 {
		h, r := i/128, i%128
		lo := b[64*h+r%64] >> (r / 64 * 4) & 15
		hi := b[128+32*h+r%32] >> (r / 32 * 2) & 3
		y[i] = d * float32(int8(b[192+i/16])) * float32(int(lo|hi<<4)-32)
	}
}

func encodeQ6_K(b []byte, x []float32) {
	var codes [256]uint8
	var scales [16]int
	d := linearCodes(32).super(x, codes[:], scales[:], 128)
	clear(b)
	putF16(b[208:], d)
	for i, s := range scales {
		b[192+i] = byte(int8(s))
	}
	for i, q := range codes {
		h, r := i/128, i%128
		b[64*h+r%64] |= q & 15 << (r / 64 * 4)
		b[128+32*h+r%32] |= q >> 4 << (r / 32 * 2)
	}
}
