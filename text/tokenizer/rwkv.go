package tokenizer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// LoadRWKV reads the vocabulary of RWKV world models (rwkv_vocab_v20230424.txt,
// BlinkDL/ChatRWKV): on each line an id, a Python literal of a text ('...') or of
// bytes (b'...'), and the number of its bytes. Text becomes at each place the
// longest token. Id 0, which the file lacks, ends a text.
func LoadRWKV(path string) (*Tokenizer, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parseRWKV(string(data))
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

func parseRWKV(text string) (*Tokenizer, error) {
	var keys []trieKey
	top, n := int32(0), 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		first, last := strings.IndexByte(line, ' '), strings.LastIndexByte(line, ' ')
		if first == last {
			return nil, fmt.Errorf("line %d: %.80q is not an id, a literal and a length: is this an RWKV vocabulary?", n, line)
		}
		id, err := strconv.ParseInt(line[:first], 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("line %d: id %.80q is not a number from 0", n, line[:first])
		}
		size, err := strconv.Atoi(line[last+1:])
		if err != nil {
			return nil, fmt.Errorf("line %d: length %.80q is not a number", n, line[last+1:])
		}
		token, err := pythonLiteral(line[first+1 : last])
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(token) != size || size == 0 || size > maxToken {
			return nil, fmt.Errorf("line %d: %.80q has %d bytes, the line says %d", n, token, len(token), size)
		}
		keys = append(keys, trieKey{token, int32(id)})
		top = max(top, int32(id))
	}
	if len(keys) == 0 {
		return nil, errors.New("no tokens in the file: is this an RWKV vocabulary?")
	}
	return newLongest(keys, top, -1)
}

// newLongest makes a tokenizer that takes the longest key at each place. unknown
// is the token of bytes at which no key begins, or -1.
func newLongest(keys []trieKey, top, unknown int32) (*Tokenizer, error) {
	if err := checkTop(top, len(keys)); err != nil {
		return nil, err
	}
	t := &Tokenizer{tokens: make([]string, top+1), vocab: make(map[string]int32, len(keys)), reading: reading{unkID: -1}}
	for _, k := range keys {
		if other, twice := t.vocab[k.key]; twice {
			return nil, fmt.Errorf("ids %d and %d stand for the same bytes %.80q: remove one", other, k.value, k.key)
		}
		if other := t.tokens[k.value]; other != "" {
			return nil, fmt.Errorf("id %d is given to %.80q and %.80q: ids must differ", k.value, other, k.key)
		}
		t.tokens[k.value], t.vocab[k.key] = k.key, k.value
	}
	if t.tokens[0] == "" {
		t.added = append(t.added, addedToken{ID: 0, Content: "<|endoftext|>", Special: true})
	}
	t.model = &longestMatch{trie: newTrie(keys), unknown: unknown}
	t.modelText = func() ([]byte, error) {
		return nil, errors.New("tokenizer.json has no form for longest-match vocabularies (RWKV): keep the original file")
	}
	t.index()
	t.setSteps(nil)
	return t, nil
}

// pythonLiteral reads a literal of Python, text or bytes in single or double
// quotes, on one line.
func pythonLiteral(s string) (string, error) {
	bad := fmt.Errorf("%.80q is not a literal of Python", s)
	body, isBytes := strings.CutPrefix(s, "b")
	if len(body) < 2 || body[0] != '\'' && body[0] != '"' || body[len(body)-1] != body[0] {
		return "", bad
	}
	body = body[1 : len(body)-1]
	out := make([]byte, 0, len(body))
	for body != "" {
		if body[0] != '\\' {
			out = append(out, body[0])
			body = body[1:]
			continue
		}
		if len(body) < 2 {
			return "", bad
		}
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[body[1]]
		if digits > 0 {
			if len(body) < 2+digits {
				return "", bad
			}
			value, err := strconv.ParseUint(body[2:2+digits], 16, 32)
			switch {
			case err != nil || value > utf8.MaxRune || isBytes && digits > 2:
				return "", bad
			case isBytes:
				out = append(out, byte(value))
			default:
				out = utf8.AppendRune(out, rune(value))
			}
			body = body[2+digits:]
			continue
		}
		at := strings.IndexByte(`abfnrtv0\'"`, body[1])
		if at < 0 {
			return "", bad
		}
		out = append(out, "\a\b\f\n\r\t\v\x00\\'\""[at])
		body = body[2:]
	}
	return string(out), nil
}
