package main

import (
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
)

// builtInSchemas are measured where no others are at hand, in the format of
// MaskBench.
const builtInSchemas = `{"name":"person","schema":{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer","minimum":0},"email":{"type":"string","format":"email"}},"required":["name","age"],"additionalProperties":false},"tests":[{"valid":true,"data":{"name": "Ada Lovelace", "age": 36, "email": "ada@example.org"}},{"valid":true,"data":{"name": "Grace", "age": 85}}]}
{"name":"order","schema":{"type":"object","properties":{"id":{"type":"string","pattern":"^[A-Z]{2}-[0-9]{4}$"},"status":{"enum":["open","paid","sent","lost"]},"lines":{"type":"array","minItems":1,"items":{"type":"object","properties":{"sku":{"type":"string","maxLength":20},"amount":{"type":"integer","minimum":1},"price":{"type":"number"}},"required":["sku","amount"]}}},"required":["id","lines"]},"tests":[{"valid":true,"data":{"id": "AB-1234", "status": "paid", "lines": [{"sku": "bolt M8", "amount": 12, "price": 0.25}, {"sku": "nut", "amount": 12}]}}]}
{"name":"tree","schema":{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"label":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}},"required":["label"],"additionalProperties":false}}},"tests":[{"valid":true,"data":{"label": "root", "children": [{"label": "left"}, {"label": "right", "children": []}]}}]}
{"name":"call","schema":{"oneOf":[{"type":"object","properties":{"tool":{"const":"search"},"query":{"type":"string"},"limit":{"type":"integer","maximum":100}},"required":["tool","query"]},{"type":"object","properties":{"tool":{"const":"open"},"url":{"type":"string"}},"required":["tool","url"]}]},"tests":[{"valid":true,"data":{"tool": "search", "query": "weights of swans", "limit": 10}},{"valid":true,"data":{"tool": "open", "url": "https://example.org/swans"}}]}
{"name":"free","schema":{"type":"object","additionalProperties":{"type":["string","number","boolean","null"]}},"tests":[{"valid":true,"data":{"a": 1.5, "b": "two", "c": null, "d": false}}]}
`

// madeUpVocabulary is the size of the vocabulary of Llama 3.
const madeUpVocabulary = 128000

// madeUpTokens is a vocabulary like those of large models in size, lengths and the
// share of tokens with quotation marks, line breaks and parts of characters: the
// bytes, numbers of up to three digits, punctuation with its neighbours, and words of
// random syllables with and without a blank before them.
func madeUpTokens(size int) (tokens [][]byte) {
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] && len(tokens) < size {
			seen[s] = true
			tokens = append(tokens, []byte(s))
		}
	}
	for b := range 256 {
		add(string([]byte{byte(b)}))
	}
	for n := range 1110 {
		digits := []byte{byte('0' + n/100%10), byte('0' + n/10%10), byte('0' + n%10)}
		add(string(digits))
		add(string(digits[1:]))
	}
	marks := []string{`"`, `'`, `\`, "\n", "\t", " ", ",", ":", "{", "}", "[", "]", "(", ")", ";", "=", "-", ".", "/", "é", "日", "本"}
	for _, a := range marks {
		for _, b := range marks {
			add(a + b)
			for _, c := range marks[:12] {
				add(a + b + c)
			}
		}
	}
	for r := rune(0x80); r < 0x2000; r += 3 { // whole characters and their beginnings
		s := string(r)
		add(s)
		add(s[:len(s)-1])
	}
	for i := uint64(0); len(tokens) < size; i++ {
		word := []byte(" ")[rng.Intn(1, 1, i, 2):]
		for j := range uint64(1 + rng.Intn(1, 2, i, 4)) {
			word = append(word, "bcdfghklmnprstvwxz"[rng.Intn(1, 3+2*j, i, 18)], "aeiou"[rng.Intn(1, 4+2*j, i, 5)])
		}
		if k := rng.Intn(1, 20, i, 40); k < len(marks) {
			word = append(word, marks[k]...)
		}
		add(string(word))
	}
	return tokens
}

// longestFirst encodes by the longest token at each place; the tokens have all bytes.
func longestFirst(tokens [][]byte) func(text []byte) []int32 {
	id, most := map[string]int32{}, 0
	for i, t := range slices.Backward(tokens) {
		id[string(t)] = int32(i)
		most = max(most, len(t))
	}
	return func(text []byte) (ids []int32) {
		for len(text) > 0 {
			n := min(most, len(text))
			for ; n > 1; n-- {
				if _, ok := id[string(text[:n])]; ok {
					break
				}
			}
			ids, text = append(ids, id[string(text[:n])]), text[n:]
		}
		return ids
	}
}
