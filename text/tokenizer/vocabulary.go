package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// vocabulary is model.vocab as written: tokens in the byte alphabet.
type vocabulary struct {
	ids map[string]int32
	top int32 // largest id
}

// readVocab reads {"token": id, ...} and refuses what occurs twice.
func readVocab(raw json.RawMessage) (*vocabulary, error) {
	if isNull(raw) {
		return nil, errors.New("model.vocab is missing: the file has no vocabulary")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("model.vocab is not an object of tokens and ids")
	}
	v := &vocabulary{ids: map[string]int32{}, top: -1}
	owner := map[int32]string{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, badJSON("model.vocab", err)
		}
		key := token.(string) // what a decoder gives in an object before a value
		var id int64
		if err := d.Decode(&id); err != nil {
			return nil, fmt.Errorf("model.vocab: id of %.80q: %w", key, err)
		}
		if len(key) > maxToken {
			return nil, fmt.Errorf("model.vocab: %.80q has %d bytes, at most %d are allowed", key, len(key), maxToken)
		}
		if id < 0 || id > math.MaxInt32 {
			return nil, fmt.Errorf("model.vocab: id of %.80q is %d: ids are from 0 to %d", key, id, math.MaxInt32)
		}
		if _, twice := v.ids[key]; twice {
			return nil, fmt.Errorf("model.vocab: token %.80q is there twice: remove one", key)
		}
		if other, twice := owner[int32(id)]; twice {
			return nil, fmt.Errorf("model.vocab: id %d is given to %.80q and %.80q: ids must differ", id, other, key)
		}
		v.ids[key] = int32(id)
		owner[int32(id)] = key
		v.top = max(v.top, int32(id))
	}
	if len(v.ids) == 0 {
		return nil, errors.New("model.vocab is empty")
	}
	return v, checkTop(v.top, len(v.ids))
}

// readMerges reads ["a b", ...] or [["a", "b"], ...].
func readMerges(raw json.RawMessage, v *vocabulary) ([]mergeRule, error) {
	if isNull(raw) {
		return nil, nil
	}
	var lines []string
	var pairs [][]string
	if err := json.Unmarshal(raw, &lines); err != nil {
		lines = nil // what it got so far
		if err := json.Unmarshal(raw, &pairs); err != nil {
			return nil, fmt.Errorf(`model.merges is neither a list of "a b" nor of ["a", "b"]: %w`, err)
		}
	}
	rules := make([]mergeRule, 0, max(len(lines), len(pairs)))
	for i, line := range lines {
		a, b, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("model.merges[%d]: %.80q has no space between two tokens", i, line)
		}
		r, err := v.rule(a, b, i)
		if err != nil {
			return nil, fmt.Errorf("model.merges[%d]: %w", i, err)
		}
		rules = append(rules, r)
	}
	for i, pair := range pairs {
		if len(pair) != 2 {
			return nil, fmt.Errorf("model.merges[%d] has %d tokens: a merge has two", i, len(pair))
		}
		r, err := v.rule(pair[0], pair[1], i)
		if err != nil {
			return nil, fmt.Errorf("model.merges[%d]: %w", i, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// rule looks the three tokens of a merge up.
func (v *vocabulary) rule(a, b string, rank int) (mergeRule, error) {
	r := mergeRule{rank: uint32(rank)}
	for _, part := range []struct {
		token string
		id    *int32
	}{{a, &r.a}, {b, &r.b}, {a + b, &r.id}} {
		id, ok := v.ids[part.token]
		if !ok || part.token == "" {
			return r, fmt.Errorf("merge of %.80q and %.80q: token %.80q is not in model.vocab: the file's vocabulary and merges do not belong together", a, b, part.token)
		}
		*part.id = id
	}
	return r, nil
}
