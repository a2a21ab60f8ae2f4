package main

import (
	"fmt"
	"math"
)

// isa is one vector width.
type isa struct {
	suffix string // of the function names
	lanes  int    // float32 values in a register
	reg    string // register letter of full width
	half   string // register letter of half the width
	regs   int    // registers
	load   string // broadcast of a constant or scalar
	needs  string
}

var (
	avx2   = &isa{"AVX2", 8, "Y", "X", 16, "VMOVUPS", "AVX2, FMA, F16C"}
	avx512 = &isa{"AVX512", 16, "Z", "Y", 32, "VBROADCASTSS", "AVX-512 F, DQ"}
)

// argKind is the type of a kernel's argument.
type argKind uint8

const (
	f32s    argKind = iota // *float32, one block after the other
	u16s                   // *uint16, likewise
	i8s                    // *int8, likewise
	lanes                  // *[32]float32: one accumulator per lane, read and written
	factors                // *adamWFactors
	count                  // n int: elements, a positive multiple of the block
	scalar                 // float32
)

type arg struct {
	name string
	kind argKind
}

// kernel is the description of one assembly function.
type kernel struct {
	name  string
	doc   string // what one call computes, for the declaration
	text  string // the arguments as Go writes them
	args  []arg
	block int // elements a turn of the loop; 0: one register
	body  func(b *builder)
}

// val is a virtual register: a vector, or for masks of AVX-512 an opmask.
type val int

const none val = -1

type valueKind uint8

const (
	vector valueKind = iota
	constant
	mask
	pinned // a vector that lives through the loop
)

type value struct {
	kind valueKind
	bits uint32 // of a constant
	name string // of a constant
	reg  int
}

// instr is one instruction or a short fixed sequence of them.
type instr struct {
	op   string // mnemonic; "fma", "fms", "fnma", "fmaddsub": form chosen later; "text": template
	args []val  // sources in Go's order; a*b+c for the fma family
	dst  val    // or none
	text string // template: {0}, {1}, ... are args, {d} is dst
	keep bool   // dst must differ from the sources and the code has an effect beside it
}

// builder collects the body of one kernel at one width.
type builder struct {
	*isa
	k      *kernel
	values []value
	code   []instr
	consts map[uint32]val
	pins   map[string]val
	turn   int // register within the block
	labels int
	before []string // set-up of pinned values
	after  []string // stores of accumulators
}

func (b *builder) newVal(k valueKind) val {
	b.values = append(b.values, value{kind: k, reg: -1})
	return val(len(b.values) - 1)
}

// do appends an instruction with a new destination.
func (b *builder) do(op string, args ...val) val {
	d := b.newVal(vector)
	b.code = append(b.code, instr{op: op, args: args, dst: d})
	return d
}

// text appends a template.
func (b *builder) text(d val, keep bool, text string, args ...val) val {
	b.code = append(b.code, instr{op: "text", args: args, dst: d, text: text, keep: keep})
	return d
}

// num is a constant operand. It stands in memory, so it can be only the first
// source of an instruction; the emitter loads it elsewhere.
func (b *builder) num(x float64) val { return b.bits(math.Float32bits(float32(x))) }

func (b *builder) bits(u uint32) val {
	if v, ok := b.consts[u]; ok {
		return v
	}
	v := b.newVal(constant)
	b.values[v].bits = u
	b.values[v].name = fmt.Sprintf("k%08x<>(SB)", u)
	b.consts[u] = v
	return v
}

// addr is the current register's worth of an array with elements of size bytes.
func (b *builder) addr(name string, size int) string {
	return fmt.Sprintf("%d(%s)(AX*%d)", b.turn*b.lanes*size, b.pointer(name), size)
}

var pointers = []string{"DI", "SI", "DX", "BX", "R8", "R9", "R10", "R11"}

// pointer is the general register of a pointer argument.
func (b *builder) pointer(name string) string {
	for i, a := range b.k.args {
		if a.name == name {
			return pointers[i]
		}
	}
	panic(b.k.name + " has no argument " + name)
}

func (b *builder) read(name string) val {
	return b.text(b.newVal(vector), false, "VMOVUPS "+b.addr(name, 4)+", {d}")
}

func (b *builder) write(name string, v val) {
	b.text(none, false, "VMOVUPS {0}, "+b.addr(name, 4), v)
}

// readOr reads an array that may be nil, else gives the constant.
func (b *builder) readOr(name string, x float64) val {
	b.labels++
	return b.text(b.newVal(vector), false, fmt.Sprintf("%s {0}, {d}\nTESTQ %[2]s, %[2]s\nJZ skip%[3]d\nVMOVUPS %[4]s, {d}\nskip%[3]d:",
		b.isa.load, b.pointer(name), b.labels, b.addr(name, 4)), b.num(x))
}

// addTo adds x*y to an array unless it is nil; y none stands for ones.
func (b *builder) addTo(name string, x, y val) {
	b.labels++
	args, op := []val{x}, "VADDPS {0}, {d}, {d}"
	if y != none {
		args, op = []val{x, y}, "VFMADD231PS {1}, {0}, {d}"
	}
	b.text(b.newVal(vector), true, fmt.Sprintf("TESTQ %[1]s, %[1]s\nJZ skip%[2]d\nVMOVUPS %[3]s, {d}\n%[4]s\nVMOVUPS {d}, %[3]s\nskip%[2]d:",
		b.pointer(name), b.labels, b.addr(name, 4), op), args...)
}

// pin returns the value of a scalar argument, a field of the factors or an
// accumulator, set up before the loop by text.
func (b *builder) pin(key, set, get string) val {
	if v, ok := b.pins[key]; ok {
		return v
	}
	v := b.newVal(pinned)
	n := len(b.pins)
	b.values[v].reg = n
	b.pins[key] = v
	r := fmt.Sprint(b.reg, n)
	b.before = append(b.before, set+", "+r)
	if get != "" {
		b.after = append(b.after, "VMOVUPS "+r+", "+get)
	}
	return v
}

func (b *builder) scalar(name string) val {
	return b.pin(name, "VBROADCASTSS "+name+fmt.Sprintf("+%d(FP)", b.k.offset(name)), "")
}

func (b *builder) factor(i int) val {
	return b.pin(fmt.Sprint("factor", i), fmt.Sprintf("VBROADCASTSS %d(%s)", 4*i, b.pointer("f")), "")
}

// accumulate runs the template text on v and the current register of the
// accumulators, accumulateProduct adds x*y to it.
func (b *builder) accumulate(text, name string, v val) { b.text(none, false, text, v, b.acc(name)) }

func (b *builder) accumulateProduct(name string, x, y val) {
	b.text(none, false, "VFMADD231PS {0}, {1}, {2}", x, y, b.acc(name))
}

func (b *builder) acc(name string) val {
	at := fmt.Sprintf("%d(%s)", b.turn*b.lanes*4, b.pointer(name))
	return b.pin(fmt.Sprint(name, b.turn), "VMOVUPS "+at, at)
}

// storeLow writes the lower half of a register to 16-bit elements.
func (b *builder) storeLow(name string, v val) {
	b.text(none, false, "VMOVDQU {low0}, "+b.addr(name, 2), v)
}

// offset is that of an argument in the frame.
func (k *kernel) offset(name string) int {
	at := 0
	for _, a := range k.args {
		if a.name == name {
			return at
		}
		at += a.size()
	}
	panic(k.name + " has no argument " + name)
}

func (a arg) size() int {
	if a.kind == scalar {
		return 4
	}
	return 8
}
