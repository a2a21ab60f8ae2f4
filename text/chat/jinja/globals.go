package jinja

import (
	"fmt"
	"strings"
	"time"
)

// globals are the functions that every template knows.
var globals map[string]Value

func init() {
	globals = map[string]Value{}
	for name, do := range map[string]func(r *runner, a args) (Value, error){
		"range":           rangeOf,
		"dict":            dictOf,
		"namespace":       namespaceOf,
		"cycler":          cyclerOf,
		"joiner":          joinerOf,
		"raise_exception": raise,
		"strftime_now":    strftimeNow,
	} {
		globals[name] = &function{name, do}
	}
}

// maxRange is the sandbox's limit.
const maxRange = 100000

func rangeOf(r *runner, a args) (Value, error) {
	v, err := a.bind("range", "start", "stop?", "step?")
	if err != nil {
		return nil, err
	}
	var n [3]int
	for i := range v {
		if n[i], err = intOf("an argument of range", given(v[i], int64(1))); err != nil {
			return nil, err
		}
	}
	if _, one := v[1].(absent); one {
		n[0], n[1] = 0, n[0]
	}
	if n[2] == 0 {
		return nil, failf("the step of range must not be zero")
	}
	out := &List{kind: kindRange}
	for i := n[0]; n[2] > 0 && i < n[1] || n[2] < 0 && i > n[1]; i += n[2] {
		if len(out.Items) == maxRange {
			return nil, failf("range is too big: at most %d items", maxRange)
		}
		out.Items = append(out.Items, int64(i))
		if next := i + n[2]; (next > i) != (n[2] > 0) {
			break
		}
	}
	return out, r.chargeItems(len(out.Items))
}

// dictOf makes a dict of pairs or of another dict, and of named arguments.
func dictOf(r *runner, a args) (Value, error) {
	d := &Dict{}
	if len(a.positional) > 1 {
		return nil, failf("dict expected at most 1 argument, got %d", len(a.positional))
	}
	if len(a.positional) == 1 {
		if from, ok := a.positional[0].(*Dict); ok {
			for i, k := range from.keys {
				if err := d.put(k, from.values[i]); err != nil {
					return nil, err
				}
			}
		} else {
			pairs, err := r.iterate(a.positional[0])
			if err != nil {
				return nil, err
			}
			for _, p := range pairs {
				kv, err := r.iterate(p)
				if err != nil {
					return nil, err
				}
				if len(kv) != 2 {
					return nil, failf("dict wants pairs, not %d values", len(kv))
				}
				if err := d.put(kv[0], kv[1]); err != nil {
					return nil, err
				}
			}
		}
	}
	for i := range a.names {
		if err := d.put(a.key(i), a.named[i]); err != nil {
			return nil, err
		}
	}
	return d, r.chargeItems(2 * len(d.keys))
}

func namespaceOf(r *runner, a args) (Value, error) {
	v, err := dictOf(r, a)
	if err != nil {
		return nil, err
	}
	return &namespace{*v.(*Dict)}, nil
}

func cyclerOf(r *runner, a args) (Value, error) {
	if len(a.positional) == 0 || len(a.names) > 0 {
		return nil, failf("cycler wants at least one item")
	}
	return &cycler{items: a.positional}, nil
}

func joinerOf(r *runner, a args) (Value, error) {
	v, err := a.bind("joiner", "sep?")
	if err != nil {
		return nil, err
	}
	return &joiner{separator: given(v[0], written(", "))}, nil
}

// raise ends the rendering with the template's own message.
func raise(r *runner, a args) (Value, error) {
	v, err := a.bind("raise_exception", "message")
	if err != nil {
		return nil, err
	}
	t, err := r.str(v[0])
	if err != nil {
		return nil, err
	}
	return nil, &failure{at: -1, message: t.s, raised: true}
}

func strftimeNow(r *runner, a args) (Value, error) {
	v, err := a.bind("strftime_now", "format")
	if err != nil {
		return nil, err
	}
	t, err := textOf("the format of strftime_now", v[0])
	if err != nil {
		return nil, err
	}
	if err := r.charge(40 * len(t.s)); err != nil {
		return nil, err
	}
	return written(strftime(r.limits.Now, t.s)).directed(t), nil
}

// strftimeLayouts are the directives that package time writes by itself.
var strftimeLayouts = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'y': "06", 'I': "03", 'p': "PM",
	'B': "January", 'b': "Jan", 'h': "Jan", 'A': "Monday", 'a': "Mon", 'Z': "MST", 'z': "-0700", 'e': "_2", 'j': "002",
	'D': "01/02/06", 'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06",
	'X': "15:04:05", 'r': "03:04:05 PM",
}

// strftime writes a time as C's function of that name in the C locale does; %-d
// is %d without padding. Unknown directives stay as they are.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		trim := format[i] == '-' && i+1 < len(format)
		if trim {
			i++
		}
		s := ""
		switch c := format[i]; c {
		case '%':
			s = "%"
		case 'n':
			s = "\n"
		case 't':
			s = "\t"
		case 'f':
			s = fmt.Sprintf("%06d", t.Nanosecond()/1000)
		case 's':
			s = fmt.Sprint(t.Unix())
		case 'u':
			s = fmt.Sprint((int(t.Weekday())+6)%7 + 1)
		case 'w':
			s = fmt.Sprint(int(t.Weekday()))
		case 'U':
			s = fmt.Sprintf("%02d", (t.YearDay()+6-int(t.Weekday()))/7)
		case 'W':
			s = fmt.Sprintf("%02d", (t.YearDay()+6-(int(t.Weekday())+6)%7)/7)
		case 'C':
			s = fmt.Sprintf("%02d", t.Year()/100)
		case 'G':
			year, _ := t.ISOWeek()
			s = fmt.Sprint(year)
		case 'V':
			_, week := t.ISOWeek()
			s = fmt.Sprintf("%02d", week)
		default:
			layout, ok := strftimeLayouts[c]
			if !ok {
				b.WriteByte('%')
				if trim {
					b.WriteByte('-')
				}
				b.WriteByte(c)
				continue
			}
			s = t.Format(layout)
		}
		if trim {
			if short := strings.TrimLeft(s, "0 "); short != "" {
				s = short
			} else {
				s = "0"
			}
		}
		b.WriteString(s)
	}
	return b.String()
}
