package regular

import (
	"strings"
	"unicode"
)

// fromTable turns a table of package unicode into runes.
func fromTable(t *unicode.RangeTable) runes {
	var pairs []rune
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			pairs = append(pairs, lo, hi)
			return
		}
		for r := lo; r <= hi; r += stride {
			pairs = append(pairs, r, r)
		}
	}
	for _, r := range t.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range t.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return makeRunes(pairs)
}

func fromTables(ts ...*unicode.RangeTable) runes {
	var pairs []rune
	for _, t := range ts {
		pairs = append(pairs, fromTable(t)...)
	}
	return makeRunes(pairs)
}

// derivedProperty are properties that Unicode defines from others
// (DerivedCoreProperties).
var derivedProperty = map[string]func() runes{
	"Any":        func() runes { return anyRune },
	"ASCII":      func() runes { return runes{0, 0x7F} },
	"Assigned":   func() runes { return fromTable(unicode.Categories["Cn"]).not() },
	"Alphabetic": func() runes { return fromTables(unicode.L, unicode.Nl, unicode.Other_Alphabetic) },
	"Uppercase":  func() runes { return fromTables(unicode.Lu, unicode.Other_Uppercase) },
	"Lowercase":  func() runes { return fromTables(unicode.Ll, unicode.Other_Lowercase) },
	"Math":       func() runes { return fromTables(unicode.Sm, unicode.Other_Math) },
}

// propertyAlias are the short names of properties that ECMA-262 lists.
var propertyAlias = map[string]string{
	"Alpha": "Alphabetic", "Upper": "Uppercase", "Lower": "Lowercase", "space": "White_Space", "Hex": "Hex_Digit",
	"AHex": "ASCII_Hex_Digit", "Dia": "Diacritic", "Ext": "Extender", "Ideo": "Ideographic", "QMark": "Quotation_Mark",
	"Term": "Terminal_Punctuation", "STerm": "Sentence_Terminal", "VS": "Variation_Selector", "Pat_WS": "Pattern_White_Space",
	"Pat_Syn": "Pattern_Syntax", "NChar": "Noncharacter_Code_Point", "Dep": "Deprecated", "Radical": "Radical",
	"UIdeo": "Unified_Ideograph", "SD": "Soft_Dotted", "LOE": "Logical_Order_Exception", "Join_C": "Join_Control",
	"RI": "Regional_Indicator", "IDSB": "IDS_Binary_Operator", "IDST": "IDS_Trinary_Operator",
}

// scriptAlias are the four-letter names (ISO 15924) of scripts in wide use.
var scriptAlias = map[string]string{
	"Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Bopo": "Bopomofo", "Cyrl": "Cyrillic", "Deva": "Devanagari",
	"Ethi": "Ethiopic", "Geor": "Georgian", "Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi", "Hang": "Hangul",
	"Hani": "Han", "Hebr": "Hebrew", "Hira": "Hiragana", "Kana": "Katakana", "Khmr": "Khmer", "Knda": "Kannada",
	"Laoo": "Lao", "Latn": "Latin", "Mlym": "Malayalam", "Mong": "Mongolian", "Mymr": "Myanmar", "Sinh": "Sinhala",
	"Taml": "Tamil", "Telu": "Telugu", "Thai": "Thai", "Tibt": "Tibetan", "Zyyy": "Common", "Zinh": "Inherited", "Qaai": "Inherited",
}

// unicodeProperty finds the set that \p{name} stands for: a general category, a script
// or, in ECMA, a binary property of Unicode that Go's tables have.
func unicodeProperty(name string, d Dialect) (runes, bool) {
	if d == RE2 {
		if name == "Any" {
			return anyRune, true
		}
		if t := category(name); t != nil {
			return fromTable(t), true
		}
		t, ok := unicode.Scripts[name]
		if !ok {
			return nil, false
		}
		return fromTable(t), true
	}
	if key, value, ok := strings.Cut(name, "="); ok {
		var t *unicode.RangeTable
		switch key {
		case "General_Category", "gc":
			t = category(value)
		case "Script", "sc":
			t = script(value)
		}
		if t == nil {
			return nil, false
		}
		return fromTable(t), true
	}
	if long, ok := propertyAlias[name]; ok {
		name = long
	}
	if f, ok := derivedProperty[name]; ok {
		return f(), true
	}
	if t := category(name); t != nil {
		return fromTable(t), true
	}
	if strings.HasPrefix(name, "Other_") {
		return nil, false
	}
	if t, ok := unicode.Properties[name]; ok {
		return fromTable(t), true
	}
	if t := script(name); t != nil { // ECMA-262 asks for Script=, validators often do not
		return fromTable(t), true
	}
	return nil, false
}

func category(name string) *unicode.RangeTable {
	if long, ok := unicode.CategoryAliases[name]; ok {
		name = long
	}
	return unicode.Categories[name]
}

func script(name string) *unicode.RangeTable {
	if long, ok := scriptAlias[name]; ok {
		name = long
	}
	return unicode.Scripts[name]
}
