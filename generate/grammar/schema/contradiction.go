package schema

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/shape"
)

// maxInner is how far contradiction looks into schemas within schemas.
const maxInner = 32

// noValue begins the message of every schema that no value satisfies.
const noValue = "no value can satisfy the schema: "

// A prober finds out which part of a schema is to blame for that no value satisfies it,
// by compiling parts of it.
type prober struct {
	c    *compiler
	work int
	seen []*value
}

// contradiction is the error of a schema that no value satisfies, at the innermost
// schema to blame. Where it is endless, values would have to hold others of their kind
// without end.
func (c *compiler) contradiction(t *term, endless bool) *Error {
	e := &Error{Empty: true}
	e.Message, e.Remedy = "it is false", "write true, or what is allowed"
	if !t.none {
		p := &prober{c: c}
		v := t.literals[0].v
		for range maxInner {
			p.seen = append(p.seen, v)
			w := p.inner(v)
			if w == nil {
				break
			}
			v = w
		}
		e.Document, e.Pointer = v.doc.name, v.pointer()
		if endless {
			e.Message, e.Remedy = "each value holds another one of its kind, without end", "make a member on the way optional, or let it be null"
			if v.get("$ref") != nil {
				e.Keyword = "$ref"
			}
		} else {
			p.blame(e, v)
		}
	}
	e.Message = noValue + e.Message
	return e
}

// blame names the first keyword at which nothing is left.
func (p *prober) blame(e *Error, v *value) {
	e.Message, e.Remedy = "its keywords contradict each other", "leave some of them out, one at a time, to see which"
	var before []string
	for i, key := range v.keys {
		if k := keywordByName[key]; k == nil || k.How == "annotation" || k.How == "structure" {
			continue
		}
		if !p.empty(&value{kind: '{', keys: v.keys[:i+1], vals: v.vals[:i+1], up: v.up, doc: v.doc}) {
			before = append(before, key)
			continue
		}
		if e.Keyword, e.Message, e.Remedy = clash(v, key); e.Keyword != "" {
			return
		}
		e.Keyword = key
		if len(before) == 0 {
			e.Message, e.Remedy = key+" leaves none", leftRemedy(key)
			return
		}
		e.Message, e.Remedy = key+" leaves nothing of what "+before[len(before)-1]+" and the keywords before it allow", "change one of them"
		return
	}
}

// clash says how keywords contradict each other, the last of them key, where that is
// plain; else "".
func clash(v *value, key string) (keyword, message, remedy string) {
	for _, b := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}, {"minProperties", "maxProperties"}, {"minimum", "maximum"}} {
		lo, hi := v.get(b[0]), v.get(b[1])
		if (key == "type" || slices.Contains(b[:], key)) && lo != nil && hi != nil && lo.kind == '0' && hi.kind == '0' && lo.rat().Cmp(hi.rat()) > 0 {
			return b[1], fmt.Sprintf("%s %s is above %s %s", b[0], lo.text, b[1], hi.text), "lower the one or raise the other"
		}
	}
	enum, types := v.get("enum"), v.get("type")
	if enum != nil && key == "enum" && len(enum.vals) == 0 {
		return key, "enum is an empty list", "list the values that are allowed"
	}
	if constant := v.get("const"); types != nil && constant != nil && (key == "type" || key == "const") && !fitsType(constant, types) {
		return key, fmt.Sprintf("const is %s, type is %s", constant.brief(), typeList(types)), "leave type away, it follows from const"
	}
	if types != nil && enum != nil && (key == "type" || key == "enum") && !slices.ContainsFunc(enum.vals, func(w *value) bool { return fitsType(w, types) }) {
		return key, fmt.Sprintf("no value of enum is of type %s", typeList(types)), "leave type away, it follows from enum"
	}
	closed, required, properties := v.get("additionalProperties"), v.get("required"), v.get("properties")
	if closed == nil || closed.kind != 'f' || required == nil || required.kind != '[' || v.get("patternProperties") != nil {
		return "", "", ""
	}
	for _, name := range required.vals {
		if properties == nil || properties.get(name.text) == nil {
			return "required", fmt.Sprintf("required names %.60q, which is none of properties, and additionalProperties is false", name.text), "add it to properties, or take it out of required"
		}
	}
	return "", "", ""
}

// typeList is the value of a keyword type in words.
func typeList(types *value) string {
	if types.kind == '"' {
		return types.text
	}
	var names []string
	for _, w := range types.vals {
		names = append(names, w.text)
	}
	return strings.Join(names, " or ")
}

// fitsType says whether a value is of one of the types of a keyword type.
func fitsType(v, types *value) bool {
	list := types.vals
	if types.kind == '"' {
		list = []*value{types}
	}
	kinds := map[kind]int{'n': tNull, 't': tBoolean, 'f': tBoolean, '0': tNumber | tInteger, '"': tString, '[': tArray, '{': tObject}
	return slices.ContainsFunc(list, func(t *value) bool {
		name := typeNames[t.text]
		return kinds[v.kind]&name != 0 && (name != tInteger || v.rat().IsInt())
	})
}

// inner is a schema within another that alone makes it empty; nil: none.
func (p *prober) inner(v *value) *value {
	if v.kind != '{' {
		return nil
	}
	if ref := v.get("$ref"); ref != nil && ref.kind == '"' {
		w, err := p.c.library.follow(v, "$ref", ref.text)
		if err == nil && p.suspect(w) {
			return w
		}
	}
	suspects := map[*value]bool{}
	var list []*value
	for _, w := range within(v) {
		if p.suspect(w) {
			suspects[w] = true
			list = append(list, w)
		}
	}
	if len(list) == 0 || p.empty(without(v, suspects)) {
		return nil
	}
	// The first k suspects are enough, the first k-1 are not.
	k := 1 + sort.Search(len(list)-1, func(i int) bool {
		drop := map[*value]bool{}
		for _, w := range list[i+1:] {
			drop[w] = true
		}
		return p.empty(without(v, drop))
	})
	return list[k-1]
}

// suspect says that a schema is empty and was not looked into yet.
func (p *prober) suspect(w *value) bool {
	return w.kind == '{' && len(w.keys) > 0 && !slices.Contains(p.seen, w) && p.empty(w)
}

// within are the schemas within a schema, but for those below not and if.
func within(v *value) (list []*value) {
	for i, key := range v.keys {
		k := keywordByName[key]
		if k == nil || k.place == noSchema || k.How == "structure" || key == "not" || key == "if" {
			continue
		}
		if below := v.vals[i]; k.place == oneSchema || k.place == schemaOrList && below.kind == '{' {
			list = append(list, below)
		} else {
			list = append(list, below.vals...)
		}
	}
	return list
}

// without is a schema with true in the place of some of those within it.
func without(v *value, drop map[*value]bool) *value {
	out := *v
	out.vals = slices.Clone(v.vals)
	for i, below := range v.vals {
		if drop[below] {
			out.vals[i] = &value{kind: 't', up: &out, doc: v.doc}
		} else if slices.ContainsFunc(below.vals, func(w *value) bool { return drop[w] }) {
			inside := *below
			inside.up, inside.vals = &out, slices.Clone(below.vals)
			for j, w := range below.vals {
				if drop[w] {
					inside.vals[j] = &value{kind: 't', up: &inside, doc: v.doc}
				}
			}
			out.vals[i] = &inside
		}
	}
	return &out
}

// empty says that no value satisfies a schema, as far as some work finds out.
func (p *prober) empty(v *value) bool {
	if p.work > maxWork {
		return false
	}
	c := newCompiler(p.c.options)
	c.library, c.probing = p.c.library, true
	c.work = p.work
	defer func() { p.work = c.work }()
	set := c.shapeOf(c.term(v, nil, satisfies))
	c.fill()
	if c.err != nil || set == nil {
		return c.err == nil
	}
	_, err := set.Machine(shape.Format{})
	var unsupported *shape.UnsupportedError
	return errors.As(err, &unsupported) && unsupported.Part == nil
}
