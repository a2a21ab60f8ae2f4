// Package cfg reads context-free grammars and steps through their texts: GBNF as
// llama.cpp writes it, EBNF in the forms of the W3C and of ISO 14977, a part of Lark,
// and lists of choices.
//
// The rules that call themselves become symbols; everything else is regular and is
// inlined, so that within a name or a number only the automaton of package regular is
// stepped, counters included. A state of the machine is the set of all stacks of
// unfinished rules that the text so far allows, shared as in generalised LR parsing
// (Tomita 1987) and interned: an ambiguous grammar has more stacks in a set, never
// more states to look at. Left recursion is taken out of the rules before (Arden
// 1961), which changes no text. Rules without texts are pruned, so that every state
// has an end.
//
// Not here: priorities, actions and trees. A grammar says which texts there are.
package cfg

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// Bounds of a grammar. What is larger is an error.
const (
	MaxSource   = 1 << 20 // bytes of its text
	MaxRules    = 5000
	MaxNesting  = 500       // groups within groups
	MaxRepeat   = 1<<30 - 1 // of one counter
	MaxShortest = 1 << 20   // bytes of the shortest text of a rule
)

// A Grammar is a set of rules with a start rule.
type Grammar struct {
	src   string
	rules []*rule
	start int
}

// A rule is a name for an expression.
type rule struct {
	name string
	at   int // byte of the source
	body *expr
}

type kind uint8

const (
	isText     kind = iota // text
	isClass                // one character of set
	isRef                  // the rule
	isSeq                  // kids in order
	isAlt                  // any of the kids
	isRepeat               // kids[0], min to max times; max < 0: no bound
	isLanguage             // a regular language
	isExcept               // kids[0] but not kids[1]
)

// An expr is the right side of a rule or a part of it.
type expr struct {
	kind     kind
	kids     []*expr
	text     string
	set      []rune // pairs lo, hi
	negated  bool   // isClass: any other character
	name     string // isRef
	at       int    // isRef, isExcept: byte of the source
	rule     int    // isRef, once names are resolved
	min, max int
	language *regular.Language
}

func seq(kids ...*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{kind: isSeq, kids: kids}
}

func alt(kids ...*expr) *expr {
	if len(kids) == 1 {
		return kids[0]
	}
	return &expr{kind: isAlt, kids: kids}
}

func repeat(x *expr, min, max int) *expr {
	return &expr{kind: isRepeat, kids: []*expr{x}, min: min, max: max}
}

func text(s string) *expr { return &expr{kind: isText, text: s} }

// Parse reads a grammar whose syntax the name of its file tells: .gbnf, .lark, or
// .ebnf and .bnf. For another name it is the content that tells: EBNF if the rules
// are written with =, Lark if with a colon, else GBNF.
func Parse(name, src string) (*Grammar, error) {
	parse := guess(src)
	switch strings.ToLower(filepath.Ext(name)) {
	case ".gbnf":
		parse = GBNF
	case ".lark":
		parse = Lark
	case ".ebnf", ".bnf":
		parse = EBNF
	}
	g, err := parse(src)
	if err != nil {
		return nil, fmt.Errorf("%s:%w", name, err)
	}
	return g, nil
}

func guess(src string) func(string) (*Grammar, error) {
	for line := range strings.Lines(src) {
		name := strings.TrimLeft(strings.TrimSpace(line), "?!<")
		end := strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) })
		if end <= 0 {
			continue
		}
		switch rest := strings.TrimLeft(name[end:], " \t>"); {
		case strings.HasPrefix(rest, "::="):
			return GBNF
		case strings.HasPrefix(rest, "="), strings.HasPrefix(rest, ":="):
			return EBNF
		case strings.HasPrefix(rest, ":"):
			return Lark
		}
	}
	return GBNF
}

// Choice is the grammar of a list of texts.
func Choice(words ...string) (*Grammar, error) {
	if len(words) == 0 {
		return nil, fmt.Errorf("a list of choices without choices")
	}
	l := regular.Strings(words...)
	return &Grammar{rules: []*rule{{name: "choice", body: &expr{kind: isLanguage, language: l}}}}, nil
}

// Machine returns the state before the first character of the grammar's texts.
func (g *Grammar) Machine() (machine.State, error) {
	c, err := g.compile()
	if err != nil {
		return nil, err
	}
	return c.machine(), nil
}

// resolve finds the rules that expressions name, and the start rule.
func (g *Grammar) resolve(starts ...string) error {
	index := map[string]int{}
	for i, r := range g.rules {
		if first, twice := index[r.name]; twice {
			return fmt.Errorf("%v: rule %s is defined a second time; first at %v", g.place(r.at), r.name, g.place(g.rules[first].at))
		}
		index[r.name] = i
	}
	var err error
	for _, r := range g.rules {
		r.body.each(func(e *expr) {
			i, ok := index[e.name]
			if e.kind == isRef && !ok && err == nil {
				err = fmt.Errorf("%v: rule %s is not defined", g.place(e.at), e.name)
			}
			e.rule = i
		})
	}
	if err != nil {
		return err
	}
	for _, name := range starts {
		if i, ok := index[name]; ok {
			g.start = i
			return nil
		}
		if name == "" && len(g.rules) > 0 { // the first will do
			return nil
		}
	}
	return fmt.Errorf("1:1: no rule %s", strings.Join(starts, " or "))
}

// place is where a byte of the source stands.
func (g *Grammar) place(pos int) place { return placeOf(g.src, pos) }

// each calls f for an expression and all its parts.
func (e *expr) each(f func(*expr)) {
	f(e)
	for _, kid := range e.kids {
		kid.each(f)
	}
}
