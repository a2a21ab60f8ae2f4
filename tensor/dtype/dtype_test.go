package dtype

import (
	"math"
	"testing"
)

func TestF16RoundTripsEveryValue(t *testing.T) {
	for h := range 1 << 16 {
		x := FromF16(uint16(h))
		if x != x {
			if y := FromF16(ToF16(x)); y == y {
				t.Fatalf("%04x: NaN lost", h)
			}
			continue
		}
		if got := ToF16(x); got != uint16(h) {
			t.Fatalf("ToF16(FromF16(%04x)) = %04x", h, got)
		}
	}
}

func TestF16RoundsToNearestEven(t *testing.T) {
	for h := range 0x7bff {
		a, b := FromF16(uint16(h)), FromF16(uint16(h+1))
		mid := a + (b-a)/2
		want := uint16(h + h&1)
		if got := ToF16(mid); got != want {
			t.Fatalf("midpoint of %04x and %04x: got %04x, want %04x", h, h+1, got, want)
		}
		if got := ToF16(math.Nextafter32(mid, a)); got != uint16(h) {
			t.Fatalf("just below midpoint of %04x: got %04x", h, got)
		}
	}
}

func TestBF16RoundsToNearestEven(t *testing.T) {
	for _, c := range []struct{ in, want uint32 }{
		{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81}, {0x7f7fffff, 0x7f80}, {0x80000001, 0x8000},
	} {
		if got := ToBF16(math.Float32frombits(c.in)); uint32(got) != c.want {
			t.Errorf("%08x: got %04x, want %04x", c.in, got, c.want)
		}
	}
	if x := FromBF16(ToBF16(float32(math.NaN()))); x == x {
		t.Error("NaN lost")
	}
}
