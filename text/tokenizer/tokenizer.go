package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Tokenizer turns text into ids and back. It is read-only after it is made and
// safe for concurrent use.
//
// Text goes through these steps: added tokens are cut out, what is between them
// is normalised, cut into pieces, and each piece becomes ids by the model.
type Tokenizer struct {
	tokens  []string         // bytes by id; "" for special tokens and unused ids
	vocab   map[string]int32 // id by bytes, without added tokens
	literal map[int32]bool   // vocabulary entries written as they are, not in the byte alphabet
	rules   []mergeRule      // in file order
	added   []addedToken     // sorted by id
	byID    map[int32]*addedToken

	// Added tokens in the text as it is given and in normalised text, each
	// without special tokens and with them.
	early, earlyAll matcher
	late, lateAll   matcher
	normalizers     []normalizer
	steps           []step   // before split
	split           splitter // the last cut
	model           model
	ignoreMerges    bool // a piece that is a token needs no merges
	reading         reading

	before, after []int32 // ids that the post-processor adds
	raw           rawFields
	modelText     func() ([]byte, error) // tokenizer.json's model field; nil for byte-level BPE

	mu   sync.Mutex
	idle []*scratch
}

// rawFields are the parts of tokenizer.json that are written back as read.
type rawFields struct {
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
}

// finish builds the tables of byte-level BPE from tokens, vocab, rules, added
// and the flags.
func (t *Tokenizer) finish(p *pattern) error {
	b, err := newBytePairs(t.vocab, t.rules, t.ignoreMerges)
	if err != nil {
		return err
	}
	t.model = b
	t.index()
	t.setSteps(p.steps())
	if t.raw.PreTokenizer == nil {
		t.raw.PreTokenizer = p.raw()
	}
	return nil
}

// index builds what finds added tokens.
func (t *Tokenizer) index() {
	slices.SortFunc(t.added, func(a, b addedToken) int { return int(a.ID) - int(b.ID) })
	t.byID = make(map[int32]*addedToken, len(t.added))
	for i := range t.added {
		t.byID[t.added[i].ID] = &t.added[i]
	}
	t.early = newMatcher(t.added, func(a *addedToken) bool { return !a.Special && !a.late })
	t.earlyAll = newMatcher(t.added, func(a *addedToken) bool { return !a.late })
	t.late = newMatcher(t.added, func(a *addedToken) bool { return !a.Special && a.late })
	t.lateAll = newMatcher(t.added, func(a *addedToken) bool { return a.late })
}

// VocabSize is the number of ids: one more than the largest.
func (t *Tokenizer) VocabSize() int { return len(t.tokens) }

// SpecialID returns the id of the special token with this content.
func (t *Tokenizer) SpecialID(content string) (int32, bool) {
	for i := range t.added {
		if a := &t.added[i]; a.Special && a.Content == content {
			return a.ID, true
		}
	}
	return 0, false
}

// Special returns the content of a special token.
func (t *Tokenizer) Special(id int32) (content string, ok bool) {
	if a := t.byID[id]; a != nil && a.Special {
		return a.Content, true
	}
	return "", false
}

// TokenID returns the id of the token that stands for exactly these bytes.
func (t *Tokenizer) TokenID(bytes string) (int32, bool) {
	for i := range t.added {
		if a := &t.added[i]; !a.Special && a.Content == bytes {
			return a.ID, true
		}
	}
	id, ok := t.vocab[bytes]
	return id, ok
}

// Tokens lists the vocabulary by id: each token's bytes inside a text, empty for
// special tokens and unused ids, and which ids are special. The slices are the
// caller's.
func (t *Tokenizer) Tokens() (bytes [][]byte, special []bool) {
	bytes, special = make([][]byte, len(t.tokens)), make([]bool, len(t.tokens))
	for id, token := range t.tokens {
		bytes[id] = []byte(token)
		_, special[id] = t.Special(int32(id))
	}
	return bytes, special
}

// Token is the bytes of one id, as Tokens has them, and whether it is special.
func (t *Tokenizer) Token(id int32) (bytes string, special bool) {
	if id < 0 || int(id) >= len(t.tokens) {
		return "", false
	}
	_, special = t.Special(id)
	return t.tokens[id], special
}

// Frame returns the ids that the file's post-processor puts before and after
// one text, such as a begin-of-text token. Encode does not add them.
func (t *Tokenizer) Frame() (before, after []int32) {
	return slices.Clone(t.before), slices.Clone(t.after)
}

// Bytes returns a tokenizer whose token b is byte b, followed by the special
// tokens. It panics when two special tokens are equal or one is empty.
func Bytes(special ...string) *Tokenizer {
	return mustMake(nil, nil, false, "whole", special)
}

// Chars returns a tokenizer with a token for each character of text: one-byte
// characters are byte tokens, then come the longer ones by code point, then the
// special tokens. Characters that text lacks become their bytes. It panics
// as Bytes does.
//
// In tokenizer.json this is BPE without merges whose pre-tokenizer isolates
// characters: with ignore_merges a piece that is in the vocabulary is a token.
func Chars(text string, special ...string) *Tokenizer {
	seen := map[rune]bool{}
	for i, r := range text {
		if r >= 0x80 && (r != '\uFFFD' || text[i] == 0xEF) { // not an invalid byte
			seen[r] = true
		}
	}
	runes := make([]rune, 0, len(seen))
	for r := range seen {
		runes = append(runes, r)
	}
	slices.Sort(runes)
	tokens := make([]string, len(runes))
	for i, r := range runes {
		tokens[i] = string(r)
	}
	return mustMake(tokens, nil, true, "chars", special)
}

func mustMake(tokens []string, rules []mergeRule, ignoreMerges bool, pattern string, special []string) *Tokenizer {
	t, err := assemble(tokens, rules, ignoreMerges, pattern, special)
	if err != nil {
		panic("tokenizer: " + err.Error())
	}
	return t
}

// assemble makes a tokenizer with 256 byte tokens, then tokens, then special
// ones.
func assemble(tokens []string, rules []mergeRule, ignoreMerges bool, name string, special []string) (*Tokenizer, error) {
	p, err := findPattern(name)
	if err != nil {
		return nil, err
	}
	if err := checkSpecial(special); err != nil {
		return nil, err
	}
	t := &Tokenizer{rules: rules, ignoreMerges: ignoreMerges, vocab: make(map[string]int32, 256+len(tokens))}
	for b := range 256 {
		t.tokens = append(t.tokens, string([]byte{byte(b)}))
	}
	t.tokens = append(t.tokens, tokens...)
	for id, token := range t.tokens {
		t.vocab[token] = int32(id)
	}
	for _, content := range special {
		t.added = append(t.added, addedToken{ID: int32(len(t.tokens)), Content: content, Special: true})
		t.tokens = append(t.tokens, "")
	}
	return t, t.finish(p)
}

func checkSpecial(special []string) error {
	for i, content := range special {
		if content == "" {
			return fmt.Errorf("special token %d is empty: leave it out", i)
		}
		if slices.Contains(special[:i], content) {
			return fmt.Errorf("special token %q is given twice: leave one out", content)
		}
	}
	return nil
}
