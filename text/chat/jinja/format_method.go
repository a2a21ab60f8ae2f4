package jinja

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// format is str.format: fields {}, {0}, {name}, {0.attr}, {0[key]}, !r and !s,
// and the specification of width, alignment, precision and type.
func (r *runner) format(t Text, a args) (Value, error) {
	var b builder
	next := 0
	for i := 0; i < len(t.s); {
		j := strings.IndexAny(t.s[i:], "{}")
		if j < 0 {
			b.append(t.slice(i, len(t.s)))
			break
		}
		b.append(t.slice(i, i+j))
		i += j
		if strings.HasPrefix(t.s[i:], "{{") || strings.HasPrefix(t.s[i:], "}}") {
			b.append(t.slice(i, i+1))
			i += 2
			continue
		}
		n := strings.IndexByte(t.s[i:], '}')
		if t.s[i] == '}' || n < 0 {
			return nil, failf("single %q in the format string", t.s[i])
		}
		field, whole := t.s[i+1:i+n], t.slice(i, i+n+1)
		i += n + 1
		if strings.Contains(field, "{") {
			return nil, failf("fields inside of fields are not supported in a format string")
		}
		var one builder
		if err := r.field(&one, field, a, &next); err != nil {
			return nil, err
		}
		b.append(one.text().directed(whole))
		if err := r.room(b.len()); err != nil {
			return nil, err
		}
	}
	return b.text(), r.charge(b.len())
}

func (r *runner) field(b *builder, field string, a args, next *int) error {
	path, specification, _ := strings.Cut(field, ":")
	path, conversion, converted := strings.Cut(path, "!")
	v, err := r.fieldValue(path, a, next)
	if err != nil {
		return err
	}
	sp, err := formatSpec(specification)
	if err != nil {
		return err
	}
	isNumber := false
	if !converted {
		_, _, _, isNumber = number(v)
		_, isBool := v.(bool)
		isNumber = isNumber && !(isBool && specification == "")
	}
	switch {
	case converted && conversion != "r" && conversion != "s":
		return failf("unknown conversion %q in a format string", conversion)
	case converted:
		sp.verb = conversion[0]
	case isNumber && (sp.verb == 0 || sp.verb == 's'):
		return r.plainNumber(b, v, sp)
	case sp.verb == 0:
		sp.verb = 's'
	case sp.verb == '%':
		f, err := r.operate("*", v, 100.0)
		if err != nil {
			return err
		}
		sp.verb = 'f'
		s, err := numberText(f, sp)
		if err != nil {
			return err
		}
		return r.align(b, written(s+"%"), sp)
	}
	if sp.align == 0 {
		if sp.align = '<'; isNumber {
			sp.align = '>'
		}
	}
	return r.formatted(b, v, sp)
}

// plainNumber writes a number without a type in its specification.
func (r *runner) plainNumber(b *builder, v Value, sp spec) error {
	if sp.align == 0 {
		sp.align = '>'
	}
	_, _, isInt, _ := number(v)
	switch {
	case isInt:
		sp.verb = 'd'
	case sp.precision >= 0:
		sp.verb = 'g'
	default:
		f, _ := v.(float64)
		s := floatText(f)
		if sp.comma {
			s = grouped(s)
		}
		return r.align(b, written(s), sp)
	}
	return r.formatted(b, v, sp)
}

// fieldValue is the argument that a field names.
func (r *runner) fieldValue(path string, a args, next *int) (Value, error) {
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	name := path[:end]
	var v Value
	if name == "" {
		name = strconv.Itoa(*next)
		*next++
	}
	if i, err := strconv.Atoi(name); err == nil {
		if i < 0 || i >= len(a.positional) {
			return nil, failf("the format string asks for argument %d of %d", i, len(a.positional))
		}
		v = a.positional[i]
	} else if i := slices.Index(a.names, name); i >= 0 {
		v = a.named[i]
	} else {
		return nil, failf("the format string asks for argument '%s'", name)
	}
	for rest := path[end:]; rest != ""; {
		var err error
		if attr, ok := strings.CutPrefix(rest, "."); ok {
			end := strings.IndexAny(attr, ".[")
			if end < 0 {
				end = len(attr)
			}
			if v, err = r.attribute(v, attr[:end]); err != nil {
				return nil, err
			}
			rest = attr[end:]
			continue
		}
		key, after, ok := strings.Cut(rest[1:], "]")
		if !ok {
			return nil, failf("a field of the format string lacks ']'")
		}
		var k Value = written(key)
		if i, err := strconv.ParseInt(key, 10, 64); err == nil {
			k = i
		}
		if v, err = r.item(v, k); err != nil {
			return nil, err
		}
		rest = after
	}
	return v, nil
}

// formatSpec reads [[fill]align][sign][#][0][width][,][.precision][type].
func formatSpec(s string) (spec, error) {
	sp := spec{precision: -1, fill: " "}
	if _, n := utf8.DecodeRuneInString(s); len(s) > n && strings.IndexByte("<>^=", s[n]) >= 0 {
		sp.fill, sp.align, s = s[:n], s[n], s[n+1:]
	} else if s != "" && strings.IndexByte("<>^=", s[0]) >= 0 {
		sp.align, s = s[0], s[1:]
	}
	n := span(s, "+- #")
	sp.flags, s = s[:n], s[n:]
	if strings.HasPrefix(s, "0") && sp.align == 0 {
		sp.fill, sp.align = "0", '='
	}
	var err error
	n = span(s, "0123456789")
	if sp.width, err = size(s[:n]); err != nil {
		return sp, err
	}
	s = s[n:]
	s, sp.comma = strings.CutPrefix(s, ",")
	if rest, ok := strings.CutPrefix(s, "."); ok {
		n = span(rest, "0123456789")
		if sp.precision, err = size(rest[:n]); err != nil {
			return sp, err
		}
		s = rest[n:]
	}
	if len(s) == 1 && strings.Contains("sdxXobfFeEgG%c", s) {
		sp.verb, s = s[0], ""
	}
	if s != "" {
		return sp, failf("invalid format specifier %q", s)
	}
	return sp, nil
}
