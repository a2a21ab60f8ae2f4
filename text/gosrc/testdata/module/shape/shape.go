// Package shape measures plane figures. It is small on purpose.
//
// A second paragraph says more.
package shape

import (
	"fmt"
	"math"
	"strings"

	"example.org/missing"
	"example.org/shapes/internal/odd"
)

// Circle is a round figure with a centre at the origin.
type Circle struct {
	R float64 // radius
}

// Sides is how many sides a square has.
const Sides = 4

// Undocumented constants make no demonstrations.
const (
	A = iota
	B
)

// Area returns the area that the circle covers.
func (c *Circle) Area() float64 {
	return math.Pi * c.R * c.R
}

// Names joins the names of the figures with commas.
//
//	Names("a", "b") // "a, b"
func Names(names ...string) string {
	// %s and %p are left alone.
	return strings.Join(names, fmt.Sprintf("%s", ", "))
}

// Largest returns the larger of two values, the first when they are equal.
func Largest[T float64 | int](a, b T) T {
	if b > a {
		return b
	}
	return a
}

// Pair holds two values that have the same type.
type Pair[T any] struct{ first, second T }

// Swap exchanges the two values of the pair.
func (p *Pair[T]) Swap() {
	p.first, p.second = p.second, p.first
}

// square returns the product of a number with itself.
func square(x float64) float64 { return x * x }

// Odd says whether a number of sides is odd.
func Odd(n int) bool { return odd.Is(n) }

// Elsewhere calls a package that is not to be found here.
func Elsewhere() int { return missing.Number() }

// Short doc.
func Short() int { return 1 }

// TODO: say what this function is good for.
func Todo() int { return 2 }

// Empty has a body without any statement in it.
func Empty() {}

func bare() { _ = square }
