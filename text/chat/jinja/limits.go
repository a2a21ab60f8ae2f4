package jinja

import "time"

// Options of a rendering. The zero value is the default.
type Options struct {
	Now    time.Time // what strftime_now tells; zero: the clock
	Steps  int       // operations, roughly; 0: 20 million
	Depth  int       // nested evaluation, macros included; 0: 1000
	Output int       // bytes of any one text, the result included; 0: 32 MiB
	Memory int       // bytes of all texts and lists that are made, kept or not; 0: 256 MiB
}

// withDefaults fills in what is zero.
func (o Options) withDefaults() Options {
	for _, f := range []struct {
		p   *int
		def int
	}{{&o.Steps, 20e6}, {&o.Depth, 1000}, {&o.Output, 32 << 20}, {&o.Memory, 256 << 20}} {
		if *f.p == 0 {
			*f.p = f.def
		}
	}
	return o
}

// step counts one operation.
func (r *runner) step() error {
	if r.steps--; r.steps < 0 {
		return failf("the template takes more than %d steps", r.limits.Steps)
	}
	return nil
}

// charge counts n bytes of text that an operation makes or reads through.
func (r *runner) charge(n int) error {
	r.steps -= n / 64
	if r.memory -= n; r.memory < 0 {
		return failf("the template makes more than %d bytes of text and lists", r.limits.Memory)
	}
	if err := r.room(n); err != nil {
		return err
	}
	return r.step()
}

// room checks the size of one text.
func (r *runner) room(n int) error {
	if n > r.limits.Output {
		return failf("the text becomes longer than %d bytes", r.limits.Output)
	}
	return nil
}

// chargeItems counts a list of n values.
func (r *runner) chargeItems(n int) error {
	const size = 16 // bytes of a Value
	if n > r.memory/size {
		n = r.memory/size + 1
	}
	r.steps -= n / 8
	if r.memory -= n * size; r.memory < 0 {
		return failf("the template makes more than %d bytes of text and lists", r.limits.Memory)
	}
	return r.step()
}

// walk counts a step into a value that is nested depth deep.
func (r *runner) walk(depth int) error {
	if depth > maxDeep {
		return failf("%s", errDeep)
	}
	return r.step()
}
