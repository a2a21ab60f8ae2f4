package generate

import (
	"fmt"
	"regexp/syntax"
	"unicode/utf8"
)

// A finder looks for the first match of a regular expression in a text that comes
// character by character, and knows where a match may have begun that is not
// complete yet. It runs all ways through the expression at a time (Thompson 1968;
// Pike's virtual machine), so a character costs no more than the expression is
// long. Matches are those of Go's regexp, but the one that ends first counts, of
// several the one that began first, and an empty one is none.
type finder struct {
	prog *syntax.Prog
	ends bool // an assertion asks for the character after it

	at    int // bytes read
	prev  rune
	seeds []thread // behind the last character, the oldest first
	live  []thread // the same, followed as far as is certain
	seen  []int    // by instruction: number of the closure that reached it
	round int
	stack []uint32
}

// thread is a way through the expression that began at byte start of the text.
type thread struct {
	pc    uint32
	start int
}

const (
	mostPattern      = 1000 // bytes
	mostInstructions = 5000
	// longestMatch is the length, in bytes, up to which every match is found. Twice
	// as much text is held back at most.
	longestMatch = 2048
)

func newFinder(pattern string) (*finder, error) {
	if n := len(pattern); n > mostPattern {
		return nil, fmt.Errorf("%d bytes, at most %d are allowed", n, mostPattern)
	}
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	if n := len(prog.Inst); n > mostInstructions {
		return nil, fmt.Errorf("%d instructions, at most %d are allowed: repeat less", n, mostInstructions)
	}
	f := &finder{prog: prog, prev: -1, seen: make([]int, len(prog.Inst))}
	for i := range prog.Inst {
		if in := &prog.Inst[i]; in.Op == syntax.InstEmptyWidth {
			op := syntax.EmptyOp(in.Arg)
			if op&syntax.EmptyEndText != 0 {
				return nil, fmt.Errorf("%q asks for the end of the text, which is not known before it stops: (?m)$ is the end of a line", pattern)
			}
			f.ends = f.ends || op&^(syntax.EmptyBeginLine|syntax.EmptyBeginText) != 0
		}
	}
	f.seeds = []thread{{uint32(prog.Start), 0}}
	if m := f.close(unknown); m >= 0 {
		return nil, fmt.Errorf("%q matches the empty text: it would end every text at once", pattern)
	}
	return f, nil
}

// CheckStopRegex says what is wrong with an Options.StopRegex.
func CheckStopRegex(pattern string) error {
	if pattern == "" {
		return nil
	}
	_, err := newFinder(pattern)
	return err
}

// unknown is a character that has not come yet.
const unknown rune = -2

// step reads a character of n bytes. A match, from byte start to before or behind
// that character, is reported once; start is -1 for none.
func (f *finder) step(r rune, n int) (start int) {
	if f.ends {
		if m := f.close(r); m >= 0 && m < f.at {
			return m
		}
	}
	f.seeds = f.seeds[:0]
	for _, t := range f.live {
		if in := &f.prog.Inst[t.pc]; consumes(in.Op) && in.MatchRune(r) {
			f.seeds = append(f.seeds, thread{in.Out, t.start})
		}
	}
	f.at, f.prev = f.at+n, r
	f.seeds = append(f.seeds, thread{uint32(f.prog.Start), f.at})
	if m := f.close(unknown); m < f.at {
		return m
	}
	return -1
}

// held is where the oldest match that may still come begins.
func (f *finder) held() int {
	if len(f.live) == 0 {
		return f.at
	}
	return f.live[0].start
}

// restart forgets all that begins before from, the next byte to read.
func (f *finder) restart(from int, prev rune) {
	f.at, f.prev = from, prev
	f.seeds = append(f.seeds[:0], thread{uint32(f.prog.Start), from})
	f.close(unknown)
}

func consumes(op syntax.InstOp) bool {
	return op == syntax.InstRune || op == syntax.InstRune1 || op == syntax.InstRuneAny || op == syntax.InstRuneAnyNotNL
}

// close follows the seeds up to where a character is read, given the next one,
// and returns where the oldest match begins, -1 for none. Seeds are in order of
// their start, so the first to reach an instruction is the oldest.
func (f *finder) close(next rune) (match int) {
	f.round++
	f.live = f.live[:0]
	match = -1
	stack := f.stack
	for _, seed := range f.seeds {
		stack = append(stack[:0], seed.pc)
		for len(stack) > 0 {
			pc := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if f.seen[pc] == f.round {
				continue
			}
			f.seen[pc] = f.round
			switch in := &f.prog.Inst[pc]; in.Op {
			case syntax.InstAlt, syntax.InstAltMatch:
				stack = append(stack, in.Arg, in.Out)
			case syntax.InstNop, syntax.InstCapture:
				stack = append(stack, in.Out)
			case syntax.InstEmptyWidth:
				if holds, known := f.holds(syntax.EmptyOp(in.Arg), next); holds {
					stack = append(stack, in.Out)
				} else if !known {
					f.live = append(f.live, thread{pc, seed.start}) // waits
				}
			case syntax.InstMatch:
				if match < 0 {
					match = seed.start
				}
			case syntax.InstFail:
			default:
				f.live = append(f.live, thread{pc, seed.start})
			}
		}
	}
	f.stack = stack[:0]
	return match
}

// holds judges an assertion between the last character and the next.
func (f *finder) holds(op syntax.EmptyOp, next rune) (holds, known bool) {
	const before = syntax.EmptyBeginLine | syntax.EmptyBeginText
	if next == unknown {
		if op&^before != 0 {
			return false, false
		}
		next = 'x' // changes nothing
	}
	return op&^syntax.EmptyOpContext(f.prev, next) == 0, true
}

// watch makes the finder read the bytes of pending that it has not, as far as they
// are whole characters; pending begins at byte from of the text. Match is where in
// pending a match begins, -1 for none.
func (f *finder) watch(pending []byte, from int) (match int) {
	for {
		rest := pending[f.at-from:]
		if len(rest) == 0 || !utf8.FullRune(rest) {
			break
		}
		r, n := utf8.DecodeRune(rest)
		if m := f.step(r, n); m >= 0 {
			return m - from
		}
	}
	if at := f.at - from; f.at-f.held() > 2*longestMatch {
		cut := at - longestMatch
		for n := 1; n < utf8.UTFMax && !utf8.RuneStart(pending[cut]); n++ {
			cut++ // not into a character
		}
		prev, _ := utf8.DecodeLastRune(pending[:cut])
		f.restart(from+cut, prev)
		return f.watch(pending, from)
	}
	return -1
}
