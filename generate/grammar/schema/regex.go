package schema

import (
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// regexDepth bounds the groups within groups of format regex.
const regexDepth = 5

// regexLanguage are the regular expressions of ECMA-262 (2025, section 22.2.1), as far
// as they are a regular language: groups go regexDepth deep, bounds of repetition have
// up to two digits or differ in length, and there are neither names of groups nor
// back-references. Everything it has is a valid expression.
func regexLanguage() *regular.Language {
	const (
		name   = `\{(Lu|Ll|Lt|LC|Lm|Lo|L|Mn|Mc|Me|M|Nd|Nl|No|N|Pc|Pd|Ps|Pe|Pi|Pf|Po|P|Sm|Sc|Sk|So|S|Zs|Zl|Zp|Z|Cc|Cf|Cs|Co|Cn|C|Letter|Alphabetic|Script=(Latin|Greek|Cyrillic|Han|Hiragana|Katakana|Arabic|Hebrew|Thai|Hangul))\}`
		set    = `\\([dDsSwW]|[pP]` + name + `)`
		point  = `\\([fnrtv]|c[A-Za-z]|x` + hex + `{2}|u` + hex + `{4}|u\{0*(` + hex + `{1,5}|10` + hex + `{4})\})`
		escape = point + `|\\[\x20-/:-@\[-\^` + "`" + `{-~]` // punctuation stands for itself
		single = `[^\\\[\]-]|\\b|` + escape
	)
	class := `\[\^?-?(` + ranges() + `-?|` + set + `|` + single + `)*-?\]`
	atom := `[^\\^$.*+?()\[\]{}|]|\.|` + escape + `|` + set + `|` + class
	times := `([*+?]|\{` + bounds() + `\})\??`
	maybe := func(l *regular.Language) *regular.Language { return regular.Repeat(l, 0, 1) }
	repeated := maybe(whole(times))
	plain := regular.Union(regular.Concat(whole(atom), repeated), whole(`[\^$|]|\\[bB]`))
	body := regular.Repeat(plain, 0, -1)
	for range regexDepth {
		group := regular.Concat(whole(`\((\?:)?`), body, whole(`\)`), repeated)
		around := regular.Concat(whole(`\(\?<?[=!]`), body, whole(`\)`))
		body = regular.Repeat(regular.Union(plain, group, around), 0, -1)
	}
	return body
}

// whole is the language of a pattern of this package.
func whole(pattern string) *regular.Language {
	l, err := regular.Parse(pattern, regular.ECMA)
	if err != nil {
		panic("schema: a pattern of a format: " + err.Error())
	}
	return l
}

// ranges is the pattern of a range within a class: its ends are in order.
func ranges() string {
	var list []string
	for lo := ' '; lo <= '~'; lo++ {
		if strings.ContainsRune(`-[\]^`, lo) {
			continue
		}
		above := ""
		from := lo
		for _, special := range `-[\]` { // what a class must not have as it is
			if special > from {
				above += fmt.Sprintf(`\x%02x-\x%02x`, from, special-1)
			}
			from = max(from, special+1)
		}
		list = append(list, fmt.Sprintf(`\x%02x-[%s\x%02x-\u{10FFFF}]`, lo, above, from))
	}
	var escaped []string
	const digits = "0123456789abcdef"
	for zeros := range 4 {
		for i := 0; i < 15; i++ {
			lo, hi := both(digits[i:i+1]), both(digits[i+1:])
			z, tail := strings.Repeat("0", zeros), fmt.Sprintf("%s{%d}", hex, 3-zeros)
			escaped = append(escaped, `\\u`+z+`[`+lo+`]`+tail+`-\\u`+z+`[`+hi+`]`+tail)
		}
	}
	for i := 0; i < 15; i++ {
		escaped = append(escaped, `\\x[`+both(digits[i:i+1])+`]`+hex+`-\\x[`+both(digits[i+1:])+`]`+hex)
	}
	return `(` + strings.Join(append(list, escaped...), "|") + `)`
}

// both is hexadecimal digits in both cases.
func both(digits string) string { return digits + strings.ToUpper(strings.Trim(digits, "0123456789")) }

// bounds is the pattern of the numbers of a repetition, the lower first.
func bounds() string {
	list := []string{`[0-9]{1,6},?`, `[0-9],[1-9][0-9]{1,5}`, `[1-9][0-9],[1-9][0-9]{2,5}`, `[1-9][0-9]{2},[1-9][0-9]{3,5}`}
	for d := '0'; d <= '9'; d++ {
		list = append(list, fmt.Sprintf(`%c,[%c-9]`, d, d))
		if d > '0' {
			list = append(list, fmt.Sprintf(`%c(%s)`, d, sameTens(d)))
			if d < '9' {
				list = append(list, fmt.Sprintf(`%c[0-9],[%c-9][0-9]`, d, d+1))
			}
		}
	}
	return `(` + strings.Join(list, "|") + `)`
}

// sameTens is the end of two numbers of two digits with the same tens.
func sameTens(tens rune) string {
	var list []string
	for d := '0'; d <= '9'; d++ {
		list = append(list, fmt.Sprintf(`%c,%c[%c-9]`, d, tens, d))
	}
	return strings.Join(list, "|")
}
