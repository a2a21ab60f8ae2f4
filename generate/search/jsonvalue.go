package search

import (
	"encoding/json"
	"io"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// maxJSONStarts bounds the brackets at which a JSON value is looked for, so that a
// text of brackets costs little.
const maxJSONStarts = 64

// JSON is the JSON value of a text in a canonical form: the whole text, a fenced
// block, or the longest object or array in the prose. Keys are sorted, white space
// is gone, and numbers that are equal are written alike (1.0 and 1).
func JSON(text string) (string, bool) {
	v, ok := FindJSON(text)
	if !ok {
		return "", false
	}
	var b strings.Builder
	if err := canonical(&b, v); err != nil {
		return "", false
	}
	return b.String(), true
}

// FindJSON decodes the value that JSON finds, with numbers as json.Number.
func FindJSON(text string) (any, bool) {
	whole := strings.TrimSpace(text)
	if v, n, ok := decode(whole); ok && n == len(whole) {
		return v, true
	}
	if block, ok := fenced(text); ok {
		if v, n, ok := decode(block); ok && strings.TrimSpace(block[n:]) == "" {
			return v, true
		}
	}
	var found any
	longest := 0
	for starts, at := 0, 0; starts < maxJSONStarts && at < len(text); starts++ {
		i := strings.IndexAny(text[at:], "{[")
		if i < 0 {
			break
		}
		at += i
		v, n, ok := decode(text[at:])
		if !ok {
			at++
			continue
		}
		if n > longest {
			found, longest = v, n
		}
		at += n
	}
	return found, longest > 0
}

// decode reads one value from the beginning of a text and says how long it is.
func decode(text string) (v any, n int, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, 0, false
	}
	return v, int(d.InputOffset()), true
}

// canonical writes a decoded value. Keys are sorted by encoding/json's rule.
func canonical(b *strings.Builder, v any) error {
	switch v := v.(type) {
	case json.Number:
		b.WriteString(canonicalNumber(string(v)))
		return nil
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := canonical(b, x); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case map[string]any:
		return canonicalObject(b, v)
	}
	e := json.NewEncoder(trimmed{b})
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// trimmed leaves out the line ends that Encode writes; inside values they are
// escaped.
type trimmed struct{ w io.Writer }

func (t trimmed) Write(p []byte) (int, error) {
	if _, err := t.w.Write([]byte(strings.TrimSuffix(string(p), "\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// canonicalNumber is a fraction in lowest terms where it is short: otherwise the
// number as it stands.
func canonicalNumber(s string) string {
	abs := strings.TrimPrefix(s, "-")
	r, ok := decimal(abs)
	if !ok {
		return s
	}
	if r.Sign() == 0 {
		return "0"
	}
	sign := s[:len(s)-len(abs)]
	if r.IsInt() {
		return sign + r.Num().String()
	}
	// A JSON number is a finite decimal, so its denominator is 2^i 5^j.
	if f, ok := finiteDecimal(r); ok {
		return sign + f
	}
	return s
}

func finiteDecimal(r *big.Rat) (string, bool) {
	prec, exact := r.FloatPrec()
	if !exact || prec > 2*maxDigits {
		return "", false
	}
	s := r.FloatString(prec)
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return "", false
	}
	return s, true
}

func canonicalObject(b *strings.Builder, v map[string]any) error {
	b.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := canonical(b, k); err != nil {
			return err
		}
		b.WriteByte(':')
		if err := canonical(b, v[k]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}
