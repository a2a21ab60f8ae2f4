package tokenizer

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// FileOptions says what vocabulary files other than tokenizer.json leave open.
type FileOptions struct {
	// Pattern is the name of the pre-tokenisation pattern; "" means "gpt2" for
	// LoadMerges and "gpt4" for LoadTiktoken.
	Pattern string
	// IgnoreMerges makes a piece that is a token that token, whatever the
	// merges say (LoadMerges; Llama 3 sets it).
	IgnoreMerges bool
	// Special gives special tokens their ids.
	Special map[string]int32
}

// LoadMerges reads the vocabulary of GPT-2's time: a JSON object of tokens and
// ids (vocab.json, encoder.json) and a list of merges (merges.txt, vocab.bpe).
func LoadMerges(vocabPath, mergesPath string, o FileOptions) (*Tokenizer, error) {
	vocabData, err := readFile(vocabPath)
	if err != nil {
		return nil, err
	}
	mergesData, err := readFile(mergesPath)
	if err != nil {
		return nil, err
	}
	if !json.Valid(vocabData) {
		return nil, fmt.Errorf("tokenizer %s: not valid JSON: the file is cut short or damaged, fetch it again", vocabPath)
	}
	v, err := readVocab(vocabData)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", vocabPath, err)
	}
	t := &Tokenizer{ignoreMerges: o.IgnoreMerges}
	lines := bufio.NewScanner(bytes.NewReader(mergesData))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#version") {
			continue
		}
		a, b, ok := strings.Cut(line, " ")
		if !ok {
			return nil, fmt.Errorf("tokenizer %s:%d: %.80q has no space between two tokens", mergesPath, n, line)
		}
		r, err := v.rule(a, b, len(t.rules))
		if err != nil {
			return nil, fmt.Errorf("tokenizer %s:%d: %w", mergesPath, n, err)
		}
		t.rules = append(t.rules, r)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", mergesPath, err)
	}
	special := maps.Clone(o.Special)
	if id, ok := v.ids["<|endoftext|>"]; ok && special == nil {
		special = map[string]int32{"<|endoftext|>": id} // as GPT-2 does
	}
	if err := t.fill(v, addedFrom(special)); err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", vocabPath, err)
	}
	p, err := findPattern(cmp.Or(o.Pattern, "gpt2"))
	if err == nil {
		err = t.finish(p)
	}
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", vocabPath, err)
	}
	return t, nil
}

func addedFrom(special map[string]int32) []addedToken {
	var added []addedToken
	for _, content := range slices.Sorted(maps.Keys(special)) {
		added = append(added, addedToken{ID: special[content], Content: content, Special: true})
	}
	return added
}

// LoadTiktoken reads a file of ranks as OpenAI's tiktoken has it: on each line
// a token in base64, a space and its rank, which is its id. The file lists no
// special tokens.
func LoadTiktoken(path string, o FileOptions) (*Tokenizer, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	t, err := parseRanks(data, o)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

func parseRanks(data []byte, o FileOptions) (*Tokenizer, error) {
	v := &vocabulary{ids: map[string]int32{}, top: -1}
	owner := map[int32]int{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			continue
		}
		token, rank, _ := strings.Cut(line, " ")
		raw, err := base64.StdEncoding.DecodeString(token)
		if err != nil || len(raw) == 0 {
			return nil, fmt.Errorf("line %d: %.80q is not a token in base64: is this a tiktoken file?", n, token)
		}
		id, err := strconv.ParseInt(rank, 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("line %d: rank %.80q is not a number from 0", n, rank)
		}
		key := spell(string(raw))
		if _, twice := v.ids[key]; twice {
			return nil, fmt.Errorf("line %d: token %.80q is there twice: remove one", n, raw)
		}
		if first, twice := owner[int32(id)]; twice {
			return nil, fmt.Errorf("line %d: rank %d is that of line %d too: ranks must differ", n, id, first)
		}
		v.ids[key], owner[int32(id)] = int32(id), n
		v.top = max(v.top, int32(id))
	}
	if len(v.ids) == 0 {
		return nil, fmt.Errorf("no tokens in the file: is this a tiktoken file?")
	}
	if err := checkTop(v.top, len(v.ids)); err != nil {
		return nil, err
	}
	t := &Tokenizer{ignoreMerges: true}
	if err := t.fill(v, addedFrom(o.Special)); err != nil {
		return nil, err
	}
	t.rules = rulesOfRanks(t)
	p, err := findPattern(cmp.Or(o.Pattern, "gpt4"))
	if err != nil {
		return nil, err
	}
	return t, t.finish(p)
}

// longestSplit bounds the tokens that rulesOfRanks cuts; published ones have at
// most 128 bytes (runs of spaces), and cutting costs the square of the length.
const longestSplit = 1024

// rulesOfRanks gives tiktoken's meaning to ranks: any two neighbours whose
// bytes together are a token may merge, with that token's rank.
func rulesOfRanks(t *Tokenizer) []mergeRule {
	var rules []mergeRule
	for id, token := range t.tokens {
		if len(token) > longestSplit {
			continue
		}
		for i := 1; i < len(token); i++ {
			a, ok := t.vocab[token[:i]]
			if !ok {
				continue
			}
			if b, ok := t.vocab[token[i:]]; ok {
				rules = append(rules, mergeRule{a, b, int32(id), uint32(id)})
			}
		}
	}
	return rules
}
