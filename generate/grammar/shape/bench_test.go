package shape

import (
	"fmt"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
)

// record is an object of 20 properties of all kinds.
func record() *Value {
	o := Object{Rest: Any()}
	for i := range 20 {
		v := []*Value{number(Number{MultipleOf: rat("1"), Min: rat("0"), Max: rat("1000")}), text(String{Max: new(200)}),
			words("red", "green", "blue"), Any(), text(String{Language: pattern(`^\d{4}-\d{2}-\d{2}$`)})}[i%5]
		o.Properties = append(o.Properties, Property{fmt.Sprint("property_", i), v, i%2 == 0})
	}
	return object(o)
}

// BenchmarkMachine is from a Value to the first state and its first bytes.
func BenchmarkMachine(b *testing.B) {
	v := record()
	for b.Loop() {
		s := start(b, v, Format{})
		for c := range 256 {
			s.Next(byte(c))
		}
	}
}

// explore steps through the states up to some bytes from s, as a walk over a
// vocabulary does, and says how many steps it took.
func explore(s machine.State, depth int) (steps int) {
	for c := range 256 {
		steps++
		if to := s.Next(byte(c)); to != nil && depth > 1 {
			steps += explore(to, depth-1)
		}
	}
	return steps
}

var places = []struct {
	name  string
	begin string
	value func() *Value
}{
	{"open", `{`, record},
	{"name", `{"property_`, record},
	{"string", `{"property_1":"abc`, record},
	{"number", `{"property_0":1`, record},
	{"date", `{"property_4":"20`, record},
	{"any", `{"property_3":`, record},
	{"free name", `{"x`, record},
}

// BenchmarkNext is the time of a step, over all pairs of bytes behind a place: of a new
// machine, and again.
func BenchmarkNext(b *testing.B) {
	at := func(b *testing.B, text string, v *Value) machine.State {
		s := start(b, v, Format{})
		for i := range len(text) {
			s = s.Next(text[i])
		}
		return s
	}
	for _, p := range places {
		b.Run("first/"+p.name, func(b *testing.B) {
			steps := 0
			for b.Loop() {
				b.StopTimer()
				s := at(b, p.begin, p.value())
				b.StartTimer()
				steps += explore(s, 2)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
		})
		b.Run("again/"+p.name, func(b *testing.B) {
			s, steps := at(b, p.begin, p.value()), 0
			for b.Loop() {
				steps += explore(s, 2)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
		})
	}
}
