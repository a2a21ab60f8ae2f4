// Package compress is the baseline that everybody has: how many bits a byte of
// held-out text costs a general compressor (xz) that has read training text
// first. Bits is the central function.
//
// The cost of a text x after a text p is |xz(p+x)| - |xz(p)|, which also
// cancels the container. The dictionary holds p and x whole, so that all of the
// prime can be referred to. The compressor is github.com/ulikunitz/xz with its
// default settings, whose match finder is greedy: on Go source it needs about a
// quarter more bits than `xz -9e`, and a report must name it.
package compress

import (
	"errors"
	"fmt"
	"io"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/foundling-lm/foundling/internal/parallel"
)

// Defaults of Options: some seconds of one core.
const (
	DefaultMaxPrime   = 16 << 20
	DefaultMaxHeldOut = 2 << 20
)

// Options of Bits; time grows with the sum of both limits.
type Options struct {
	MaxPrime   int // bytes of training text, its end; 0 means DefaultMaxPrime
	MaxHeldOut int // bytes of held-out text, its beginning; 0 means DefaultMaxHeldOut
	Pool       *parallel.Pool
}

// Result says what was measured. All sizes are bytes.
type Result struct {
	BitsPerByte float64 // of the held-out text after the prime
	Alone       float64 // bits per byte of the held-out text with no prime
	Prime       int     // length of the prime
	HeldOut     int     // length of the held-out text measured
	Dictionary  int     // capacity of the compressor's window
	PrimeSize   int64   // |xz(p)|
	BothSize    int64   // |xz(p+x)|
}

// Bits measures the held-out text after the end of the training text. It
// depends on the two texts and the limits only.
func Bits(prime, heldOut []byte, o Options) (Result, error) {
	if o.MaxPrime < 0 || o.MaxHeldOut < 0 {
		return Result{}, fmt.Errorf("compress: limits %d and %d: want 0 (default) or more", o.MaxPrime, o.MaxHeldOut)
	}
	if len(heldOut) == 0 {
		return Result{}, errors.New("compress: no held-out text")
	}
	if o.MaxPrime == 0 {
		o.MaxPrime = DefaultMaxPrime
	}
	if o.MaxHeldOut == 0 {
		o.MaxHeldOut = DefaultMaxHeldOut
	}
	prime = prime[max(0, len(prime)-o.MaxPrime):]
	heldOut = heldOut[:min(len(heldOut), o.MaxHeldOut)]

	r := Result{Prime: len(prime), HeldOut: len(heldOut), Dictionary: dictionary(len(prime) + len(heldOut))}
	runs := [3][][]byte{{prime, heldOut}, {prime}, {heldOut}}
	var sizes [3]int64
	var errs [3]error
	o.Pool.Run(len(runs), func(i, _ int) { sizes[i], errs[i] = size(r.Dictionary, runs[i]...) })
	if err := errors.Join(errs[:]...); err != nil {
		return Result{}, fmt.Errorf("compress: %w", err)
	}
	r.BothSize, r.PrimeSize = sizes[0], sizes[1]
	r.BitsPerByte = 8 * float64(sizes[0]-sizes[1]) / float64(len(heldOut))
	r.Alone = 8 * float64(sizes[2]) / float64(len(heldOut))
	return r, nil
}

// dictionary is the power of two, at least 1 MiB, that holds n bytes.
func dictionary(n int) int {
	d := 1 << 20
	for d < n {
		d *= 2
	}
	return d
}

// size is the length of the xz stream of all parts, one after the other.
func size(dict int, parts ...[]byte) (int64, error) {
	var n counter
	w, err := xz.WriterConfig{DictCap: dict, CheckSum: xz.CRC32, Matcher: lzma.HashTable4}.NewWriter(&n)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return 0, err
		}
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return int64(n), nil
}

// counter is a writer that keeps only the number of bytes.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

var _ io.Writer = (*counter)(nil)
