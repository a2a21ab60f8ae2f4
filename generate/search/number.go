package search

import (
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// maxDigits bounds the digits of a number and the size of its exponent: larger
// ones are no answers.
const maxDigits = 400

// number is a number in running text: a sign, a currency on either side of it,
// digits with thousands set apart by commas, decimals, an exponent; then the
// denominator of a fraction, or the fraction of a mixed number.
var number = regexp.MustCompile(`(?:[-−+][ ]?)?` + currency + `(?:[-−+])?` + digits + `(?:[eE][-+]?[0-9]+)?(?:[ ]?[/⁄][ ]?` + plain + `|[ ][0-9]+[/⁄][0-9]+)?`)

const (
	currency = `(?:(?:US|A|C)?[$€£¥₹][ ]?)?`
	digits   = `(?:[0-9]{1,3}(?:,[0-9]{3})+\b(?:\.[0-9]+)?|` + plain + `)`
	plain    = `(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)`
)

var texFraction = regexp.MustCompile(`\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}`)

// Number is the answer of a text that ends in one, such as GSM8K's "#### 1,234.0":
// the number after the last mark ("####", "answer is", "answer:", a line "A:"),
// in \boxed{}, or else the last number of the text. It is written as a fraction in
// lowest terms, so that "$1,234.00" and "1234" are equal, and "0.75" and "3/4".
// Percent signs and units are dropped, as GSM8K's answers drop them.
func Number(text string) (string, bool) {
	if tail, ok := boxed(text); ok {
		if n, ok := numberIn(tail, true); ok {
			return n, true
		}
	}
	if tail, ok := marked(text); ok {
		if n, ok := numberIn(tail, false); ok {
			return n, true
		}
	}
	return numberIn(text, true)
}

// numberIn is the first or the last number of a text.
func numberIn(text string, last bool) (string, bool) {
	text = texFraction.ReplaceAllString(text, "$1/$2")
	all := number.FindAllStringIndex(text, -1)
	for i := range all {
		at := all[i]
		if last {
			at = all[len(all)-1-i]
		}
		s := text[at[0]:at[1]]
		// "3-4" and "x-4" are differences, "a - 4" as well: the sign is not part of it.
		if before := strings.TrimRight(text[:at[0]], " "); before != "" && strings.ContainsAny(s[:1], "-+−") && joins(before) {
			s = strings.TrimLeft(s, "-+− ")
		}
		if r, ok := ParseNumber(s); ok {
			return r.RatString(), true
		}
	}
	return "", false
}

// joins says whether a text ends in an operand, so that a sign after it is an
// operator.
func joins(text string) bool {
	c := text[len(text)-1]
	return c >= '0' && c <= '9' || c == ')' || c == '%'
}

// ParseNumber reads one number as people write it: "−1,234.50", "$3", "3/4",
// "1 1/2", "2e3", "50%".
func ParseNumber(s string) (*big.Rat, bool) {
	s = strings.NewReplacer("−", "-", "⁄", "/", ",", "", "%", "", "US$", "", "A$", "", "C$", "", "$", "", "€", "", "£", "", "¥", "", "₹", "").Replace(s)
	s = strings.TrimSpace(s)
	negative := false
	for s != "" && (s[0] == '-' || s[0] == '+') {
		negative = negative != (s[0] == '-')
		s = strings.TrimLeft(s[1:], " ")
	}
	whole, fraction, mixed := strings.Cut(s, " ")
	if mixed && strings.HasPrefix(strings.TrimLeft(fraction, " "), "/") || strings.HasSuffix(whole, "/") {
		whole, mixed = strings.ReplaceAll(s, " ", ""), false
	}
	r, ok := ratio(whole)
	if !ok {
		return nil, false
	}
	if mixed {
		f, ok := ratio(fraction)
		if !ok {
			return nil, false
		}
		r.Add(r, f)
	}
	if negative {
		r.Neg(r)
	}
	return r, len(r.RatString()) <= maxDigits
}

// ratio reads digits, or digits over digits.
func ratio(s string) (*big.Rat, bool) {
	above, below, fraction := strings.Cut(strings.TrimSpace(s), "/")
	a, ok := decimal(above)
	if !ok || !fraction {
		return a, ok
	}
	b, ok := decimal(below)
	if !ok || b.Sign() == 0 {
		return nil, false
	}
	return a.Quo(a, b), true
}

// decimal reads an unsigned decimal number of bounded size.
func decimal(s string) (*big.Rat, bool) {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	if len(mantissa) > maxDigits || mantissa == "" || strings.Trim(mantissa, "0123456789.") != "" {
		return nil, false
	}
	if ok {
		if n, err := strconv.Atoi(exponent); err != nil || n < -maxDigits || n > maxDigits {
			return nil, false
		}
	}
	return new(big.Rat).SetString(s)
}
