package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// normalizerFile is the normalizer field as written.
type normalizerFile struct {
	Type               string            `json:"type"`
	Normalizers        []json.RawMessage `json:"normalizers"`
	Prepend            string            `json:"prepend"`
	Pattern            map[string]string `json:"pattern"`
	Content            string            `json:"content"`
	StripLeft          bool              `json:"strip_left"`
	StripRight         bool              `json:"strip_right"`
	CleanText          *bool             `json:"clean_text"`
	HandleChineseChars *bool             `json:"handle_chinese_chars"`
	StripAccents       *bool             `json:"strip_accents"`
	Lowercase          *bool             `json:"lowercase"`
	PrecompiledCharMap *string           `json:"precompiled_charsmap"`
}

func readNormalizer(raw json.RawMessage, field string) ([]normalizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	var f normalizerFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, badJSON(field, err)
	}
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	if form, ok := forms[f.Type]; ok {
		return []normalizer{normalForm{form}}, nil
	}
	yes := func(b *bool) bool { return b == nil || *b }
	switch f.Type {
	case "Sequence":
		var all []normalizer
		for i, part := range f.Normalizers {
			n, err := readNormalizer(part, fmt.Sprintf("%s.normalizers[%d]", field, i))
			if err != nil {
				return nil, err
			}
			all = append(all, n...)
		}
		return all, nil
	case "Lowercase":
		return []normalizer{newMapRunes(lowerCase)}, nil
	case "StripAccents":
		return []normalizer{newMapRunes(stripMarks)}, nil
	case "Strip":
		return []normalizer{trim{f.StripLeft, f.StripRight}}, nil
	case "Prepend":
		return []normalizer{prepend(f.Prepend)}, nil
	case "Replace":
		n, err := readReplace(&f, field)
		return []normalizer{n}, err
	case "BertNormalizer":
		lowercase := yes(f.Lowercase)
		strip := lowercase
		if f.StripAccents != nil {
			strip = *f.StripAccents
		}
		return []normalizer{newBERTNormalizer(yes(f.CleanText), yes(f.HandleChineseChars), strip, lowercase)}, nil
	case "Precompiled":
		if f.PrecompiledCharMap == nil || *f.PrecompiledCharMap == "" {
			return nil, nil
		}
		bytes, err := base64.StdEncoding.DecodeString(*f.PrecompiledCharMap)
		if err != nil {
			return nil, fmt.Errorf("%s.precompiled_charsmap is not base64", field)
		}
		m, err := readCharsmap(bytes)
		if err != nil {
			return nil, fmt.Errorf("%s.%w", field, err)
		}
		return []normalizer{precompiled{m}}, nil
	}
	return nil, fmt.Errorf("%s.type: %q is not supported: known are NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, BertNormalizer, Precompiled and Sequence", field, f.Type)
}

func readReplace(f *normalizerFile, field string) (normalizer, error) {
	if text, ok := f.Pattern["String"]; ok {
		return replaceText{text, f.Content}, nil
	}
	regex, ok := f.Pattern["Regex"]
	if !ok {
		return nil, fmt.Errorf("%s.pattern has neither String nor Regex", field)
	}
	if strings.Contains(f.Content, "$") {
		return nil, fmt.Errorf("%s.content: %q with a group's number is not supported", field, f.Content)
	}
	e, err := newExpression(regex, isolated, false)
	if err != nil {
		return nil, fmt.Errorf("%s.pattern.Regex: %w", field, err)
	}
	return replaceMatches{e, f.Content}, nil
}

// replaceMatches replaces what an expression matches.
type replaceMatches struct {
	e   *expression
	new string
}

func (r replaceMatches) apply(s string, buf []byte) (string, []byte) {
	found, _ := r.e.re.FindAllStringIndex(s, -1)
	if len(found) == 0 {
		return s, buf
	}
	var b bytes.Buffer
	at := 0
	for _, span := range found {
		b.WriteString(s[at:span[0]])
		b.WriteString(r.new)
		at = span[1]
	}
	b.WriteString(s[at:])
	buf = append(buf[:0], b.Bytes()...)
	return view(buf), buf
}
