package schema

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/foundling-lm/foundling/generate/grammar/regular"
)

// Pieces of the patterns of formats. They are ASCII; letters in both cases are spelled
// out.
const (
	hex   = `[0-9A-Fa-f]`
	octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])`
	ipv4  = octet + `(\.` + octet + `){3}`

	// RFC 3339, appendix A of ISO 8601 for durations.
	leapYear = `([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)`
	date     = `(` + leapYear + `-02-29|[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8])))`
	clock    = `(([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])|23:59:60(\.[0-9]+)?([Zz]|[+-]00:00))`
	duration = `P([0-9]+W|([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)(T` + hours + `)?|T` + hours + `)`
	hours    = `([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)`

	// RFC 1123.
	host  = label + `(\.` + label + `)*`
	label = `[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?`

	// RFC 5321.
	atom    = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
	quoted  = `"([ !#-\[\]-~]|\\[ -~])*"`
	mailbox = `(` + atom + `(\.` + atom + `)*|` + quoted + `)@(` + host + `|\[` + ipv4 + `\]|\[IPv6:` + ipv6 + `\])`

	// RFC 6531: atoms of any characters beyond ASCII.
	idnAtom    = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~\\u0080-\\u{10FFFF}-]+"
	idnLabel   = `[A-Za-z0-9\u0080-\u{10FFFF}]([A-Za-z0-9\u0080-\u{10FFFF}-]{0,61}[A-Za-z0-9\u0080-\u{10FFFF}])?`
	idnQuoted  = `"([ !#-\[\]-~\u0080-\u{10FFFF}]|\\[ -~])*"`
	idnMailbox = `(` + idnAtom + `(\.` + idnAtom + `)*|` + idnQuoted + `)@` + idnLabel + `(\.` + idnLabel + `)*`

	// RFC 4291.
	h16  = hex + `{1,4}`
	ls32 = `(` + h16 + `:` + h16 + `|` + ipv4 + `)`
	ipv6 = `((` + h16 + `:){6}` + ls32 +
		`|::(` + h16 + `:){5}` + ls32 +
		`|(` + h16 + `)?::(` + h16 + `:){4}` + ls32 +
		`|((` + h16 + `:){0,1}` + h16 + `)?::(` + h16 + `:){3}` + ls32 +
		`|((` + h16 + `:){0,2}` + h16 + `)?::(` + h16 + `:){2}` + ls32 +
		`|((` + h16 + `:){0,3}` + h16 + `)?::` + h16 + `:` + ls32 +
		`|((` + h16 + `:){0,4}` + h16 + `)?::` + ls32 +
		`|((` + h16 + `:){0,5}` + h16 + `)?::` + h16 +
		`|((` + h16 + `:){0,6}` + h16 + `)?::)`

	// RFC 6901; the relative form of the draft that JSON Schema names.
	jsonPointer = `(/([^/~]|~[01])*)*`

	// RFC 6570.
	varname  = `(\w|%` + hex + hex + `)(\.?(\w|%` + hex + hex + `))*`
	varspec  = varname + `(:[1-9][0-9]{0,3}|\*)?`
	template = `([^\x00-\x20"'%<>\\^` + "`" + `{|}\x7f]|%` + hex + hex + `|\{[+#./;?&=,!@|]?` + varspec + `(,` + varspec + `)*\})*`
)

// rfc3986 are the patterns of addresses over an alphabet of unreserved characters
// beyond ASCII (RFC 3987; "" for RFC 3986) and of private ones in queries.
func rfc3986(beyond, private string) (absolute, reference string) {
	const scheme = `[A-Za-z][A-Za-z0-9+.-]*`
	const escaped = `%` + hex + hex
	free := `A-Za-z0-9._~!$&'()*+,;=` + beyond
	pchar := `([` + free + `:@-]|` + escaped + `)`
	authority := `(([` + free + `:-]|` + escaped + `)*@)?(\[(` + ipv6 + `|[Vv]` + hex + `+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]|([` + free + `-]|` + escaped + `)*)(:[0-9]*)?`
	abempty := `(/` + pchar + `*)*`
	rootless := pchar + `+` + abempty
	noscheme := `([` + free + `@-]|` + escaped + `)+` + abempty
	rooted := `/(` + rootless + `)?`
	tail := `(\?([` + free + private + `:@/?-]|` + escaped + `)*)?(#([` + free + `:@/?-]|` + escaped + `)*)?`
	absolute = scheme + `:(//` + authority + abempty + `|` + rooted + `|` + rootless + `|)` + tail
	relative := `(//` + authority + abempty + `|` + rooted + `|` + noscheme + `|)` + tail
	return absolute, absolute + `|` + relative
}

// RFC 3987: the characters beyond ASCII that addresses may have.
const (
	ucschar = `\u00A0-\uD7FF\uF900-\uFDCF\uFDF0-\uFFEF\u{10000}-\u{1FFFD}\u{20000}-\u{2FFFD}\u{30000}-\u{3FFFD}\u{40000}-\u{4FFFD}\u{50000}-\u{5FFFD}\u{60000}-\u{6FFFD}\u{70000}-\u{7FFFD}\u{80000}-\u{8FFFD}\u{90000}-\u{9FFFD}\u{A0000}-\u{AFFFD}\u{B0000}-\u{BFFFD}\u{C0000}-\u{CFFFD}\u{D0000}-\u{DFFFD}\u{E1000}-\u{EFFFD}`
	iprivat = `\uE000-\uF8FF\u{F0000}-\u{FFFFD}\u{100000}-\u{10FFFD}`
)

// formatPatterns are the patterns of whole strings, by the name of the format.
var formatPatterns = sync.OnceValue(func() map[string]string {
	uri, uriReference := rfc3986("", "")
	iri, iriReference := rfc3986(ucschar, iprivat)
	return map[string]string{
		"date": date, "time": clock, "date-time": date + `[Tt]` + clock, "duration": duration,
		"email": mailbox, "idn-email": idnMailbox, "hostname": host, "ipv4": ipv4, "ipv6": ipv6,
		"uri": uri, "uri-reference": uriReference, "iri": iri, "iri-reference": iriReference, "uri-template": template,
		"uuid":         hex + `{8}-` + hex + `{4}-` + hex + `{4}-` + hex + `{4}-` + hex + `{12}`,
		"json-pointer": jsonPointer, "relative-json-pointer": `(0|[1-9][0-9]*)(#|` + jsonPointer + `)`,
	}
})

// formatExceptions are patterns of what is not of the format. Years begin with 1. Labels
// with hyphens at places 3 and 4 are internationalised names, whose rules are no regular
// language: they are left out.
var formatExceptions = map[string]string{
	"date": `^0000`, "date-time": `^0000`,
	"hostname": `(^|\.)[^.]{2}--|^.{254}`,
	"email":    `[@.][^@."]{2}--[^@"]*$`,
}

// formats keeps the languages of the process. A compilation takes copies, for
// languages remember what they have explored.
var formats sync.Map // name -> *regular.Language

// noRegular are the formats of the specification that are no regular languages.
var noRegular = map[string]string{"idn-hostname": "use hostname, or a pattern"}

// Formats are the names of the formats that are enforced; other names are annotations,
// but for idn-hostname, which is refused.
func Formats() []string {
	names := []string{"regex"}
	for name := range formatPatterns() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// format is the language of a format; nil if it says nothing.
func (c *compiler) format(v *value, name string) *language {
	if c.options.AnnotateFormats || c.options.DraftFormats && c.library.resourceOf(v).annotates {
		return nil
	}
	if remedy, refused := noRegular[name]; refused {
		c.refuse(v, "format", fmt.Sprintf("the strings of format %s cannot be told one character at a time", name), remedy)
		return nil
	}
	key := "\x00" + name
	if l := c.patterns[key]; l != nil {
		return l
	}
	shared, ok := formats.Load(name)
	if !ok {
		made := formatLanguage(name)
		if made == nil {
			c.notes.add(v, "format", fmt.Sprintf("%.60q is no format that is known: an annotation; known are %s", name, strings.Join(Formats(), ", ")))
			return nil
		}
		shared, _ = formats.LoadOrStore(name, made)
	}
	l := &language{Language: regular.Intersect(shared.(*regular.Language))}
	c.patterns[key] = l
	return l
}

// formatLanguage makes the language of a format; nil if its name is not known.
func formatLanguage(name string) *regular.Language {
	if name == "regex" {
		return regexLanguage()
	}
	p, known := formatPatterns()[name]
	if !known {
		return nil
	}
	l := whole(p)
	if not, ok := formatExceptions[name]; ok {
		exceptions, err := regular.Search(not, regular.ECMA)
		if err != nil {
			panic("schema: format " + name + ": " + err.Error())
		}
		l = regular.Difference(l, exceptions)
	}
	return l
}
