package main

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/foundling-lm/foundling/serve/store"
)

// option is an option as it is in force, and where it comes from.
type option struct {
	name  string
	value []string
	list  bool
	from  string
}

// optionsInForce are those of the command that was chosen, by name; e is the environment
// that was asked.
func optionsInForce(k *kong.Context, e *environment) []option {
	var all []option
	for n := k.Selected(); n != nil; n = n.Parent {
		for _, f := range n.Flags {
			if f.Name != "help" && f.Name != "recipe" && f.Name != "check" {
				all = append(all, option{name: f.Name, value: valueText(f.Target), list: f.Target.Kind() == reflect.Slice, from: origin(k, e, f)})
			}
		}
	}
	slices.SortFunc(all, func(a, b option) int { return strings.Compare(a.name, b.name) })
	return all
}

// origin is where a flag's value comes from.
func origin(k *kong.Context, e *environment, f *kong.Flag) string {
	for _, p := range k.Path {
		if p.Flag != f {
			continue
		}
		if !p.Resolved {
			return "flag"
		}
		if _, ok := e.values[f.Name]; ok {
			return "environment"
		}
		return "recipe"
	}
	return "default"
}

// valueText is a value as text, without the passwords of addresses.
func valueText(v reflect.Value) []string {
	switch {
	case v.Kind() == reflect.Slice:
		var all []string
		for i := range v.Len() {
			all = append(all, valueText(v.Index(i))...)
		}
		return all
	case v.Kind() == reflect.Pointer && v.IsNil():
		return nil
	case v.Kind() == reflect.Pointer:
		return valueText(v.Elem())
	}
	text := fmt.Sprint(v.Interface())
	if strings.Contains(text, "://") {
		text = store.Redacted(text)
	}
	return []string{text}
}

// writeOptions writes options as a recipe that sets them, and where each comes from.
func writeOptions(w io.Writer, all []option) {
	for _, o := range all {
		text := ""
		switch {
		case len(o.value) == 0 || !o.list && o.value[0] == "":
			fmt.Fprintf(w, "# %s is not set\n", o.name)
			continue
		case o.list:
			var quoted []string
			for _, v := range o.value {
				quoted = append(quoted, strconv.Quote(v))
			}
			text = "[" + strings.Join(quoted, ", ") + "]"
		default:
			text = strconv.Quote(o.value[0])
		}
		fmt.Fprintf(w, "%s: %s # %s\n", o.name, text, o.from)
	}
}
