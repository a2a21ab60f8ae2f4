package gguf

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/foundling-lm/foundling/model/checkpoint"
)

// Metadata is the metadata of a file, read by one architecture.
type Metadata struct {
	arch string
	all  map[string]any
	File *checkpoint.File
}

// Has says whether the architecture's key is there.
func (md Metadata) Has(key string) bool {
	_, ok := md.all[md.arch+"."+key]
	return ok
}

// Int is a whole number, of whatever type; ok is false where it is missing. A
// list must repeat one number: sizes that differ by layer are not supported.
func (md Metadata) Int(key string) (n int, ok bool, err error) {
	v, ok := md.all[md.arch+"."+key]
	if !ok {
		return 0, false, nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Slice {
		if r.Len() == 0 {
			return 0, false, fmt.Errorf("metadata %q is an empty list", md.arch+"."+key)
		}
		if !r.Index(0).Comparable() {
			return 0, false, fmt.Errorf("metadata %q is a list of lists: want a whole number", md.arch+"."+key)
		}
		for i := range r.Len() {
			if r.Index(i).Interface() != r.Index(0).Interface() {
				return 0, false, fmt.Errorf("metadata %q differs by layer (%v): one number for all layers is supported", md.arch+"."+key, v)
			}
		}
		r = r.Index(0)
	}
	switch {
	case r.CanInt() && r.Int() >= 0 && r.Int() <= math.MaxInt32:
		return int(r.Int()), true, nil
	case r.CanUint() && r.Uint() <= math.MaxInt32:
		return int(r.Uint()), true, nil
	}
	return 0, false, fmt.Errorf("metadata %q is %v (%T): want a whole number to %d", md.arch+"."+key, v, v, math.MaxInt32)
}

// Float is a number; a float32 is the shortest decimal that rounds to it, as
// config.json has it.
func (md Metadata) Float(key string) (x float64, ok bool, err error) {
	v, ok := md.all[md.arch+"."+key]
	if !ok {
		return 0, false, nil
	}
	switch v := v.(type) {
	case float32:
		x, err = strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	case float64:
		x = v
	default:
		n, ok, err := md.Int(key)
		return float64(n), ok, err
	}
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0, false, fmt.Errorf("metadata %q is %v: want a finite number", md.arch+"."+key, v)
	}
	return x, true, nil
}

// Text is a string, "" where it is missing.
func (md Metadata) Text(key string) string {
	s, _ := md.all[md.arch+"."+key].(string)
	return s
}

// ID is a token id; some writers give 2^32-1 for none.
func (md Metadata) ID(key string) (int, bool) { return ID(md.all, key) }

// ID is the token id under a full key of md.
func ID(md map[string]any, key string) (int, bool) {
	v, ok := md[key].(uint32)
	return int(v), ok && v <= math.MaxInt32
}

func (k Key) read(md Metadata, config map[string]any) error {
	var v any
	var ok bool
	var err error
	if k.Float {
		v, ok, err = md.Float(k.GGUF)
	} else {
		v, ok, err = md.Int(k.GGUF)
	}
	switch {
	case err != nil:
		return err
	case ok:
		config[k.HF] = v
	case k.Required:
		return fmt.Errorf("metadata %q is missing: the file does not describe its model", md.arch+"."+k.GGUF)
	case k.Absent != nil:
		config[k.HF] = k.Absent
	}
	return nil
}

func (k Key) write(c Values, out map[string]any) {
	v, ok := c[k.HF].(float64)
	switch {
	case !ok:
	case k.Float:
		out[k.GGUF] = float32(v)
	default:
		out[k.GGUF] = uint32(v)
	}
}

// Values are the keys of a config.json.
type Values map[string]any

// ValuesOf encodes a configuration as JSON and reads it back.
func ValuesOf(config any) (Values, error) {
	data, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	var v Values
	return v, json.Unmarshal(data, &v)
}

// Int is a number, 0 where it is missing or null.
func (v Values) Int(key string) int { return int(v.Float(key)) }

// Float is a number, 0 where it is missing or null.
func (v Values) Float(key string) float64 {
	x, _ := v[key].(float64)
	return x
}

// Heads are the numbers of attention heads and of those of keys and values.
func (v Values) Heads() (q, kv int) {
	q = v.Int("num_attention_heads")
	if kv = v.Int("num_key_value_heads"); kv == 0 {
		kv = q
	}
	return q, kv
}

// HeadDim is the width of a head.
func (v Values) HeadDim() int {
	if d := v.Int("head_dim"); d != 0 {
		return d
	}
	if q, _ := v.Heads(); q > 0 {
		return v.Int("hidden_size") / q
	}
	return 0
}

func sortedUnique(s []string) []string {
	set := map[string]bool{}
	for _, x := range s {
		set[x] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// importHeads writes the width of a head, which families have differing
// defaults for, and the number of key heads.
func importHeads(md Metadata, c map[string]any) error {
	heads, _ := c["num_attention_heads"].(int)
	width, _ := c["hidden_size"].(int)
	if heads <= 0 {
		return fmt.Errorf("metadata %q is %d: it must be positive", md.arch+".attention.head_count", heads)
	}
	if _, ok := c["num_key_value_heads"]; !ok {
		c["num_key_value_heads"] = heads
	}
	d, ok, err := md.Int("attention.key_length")
	if err != nil {
		return err
	}
	if !ok {
		d = width / heads
	}
	c["head_dim"] = d
	v, ok, err := md.Int("attention.value_length")
	if err != nil {
		return err
	}
	if ok && v != d {
		return fmt.Errorf("metadata %q is %d, the keys are %d wide: equal widths are supported", md.arch+".attention.value_length", v, d)
	}
	return nil
}
