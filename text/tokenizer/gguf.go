package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// FromGGUF makes a tokenizer of the metadata of a GGUF file, with the meaning
// that llama.cpp gives it (ggml-org/llama.cpp, llama-vocab.cpp). kv has the keys
// tokenizer.ggml.*; scalars have the Go type of their GGUF type, arrays are
// slices such as []string, []int32, []float32. tokenizer.ggml.model is one of
// gpt2, llama, bert, t5 and rwkv.
func FromGGUF(kv map[string]any) (*Tokenizer, error) {
	v := ggufVocab{kv: kv}
	t, err := v.tokenizer()
	if err != nil {
		return nil, fmt.Errorf("tokenizer of the GGUF file: %w", err)
	}
	return t, nil
}

// ggufVocab reads the metadata.
type ggufVocab struct {
	kv     map[string]any
	tokens []string
	kinds  []pieceKind
	scores []float32
}

const ggufPrefix = "tokenizer.ggml."

func (v *ggufVocab) tokenizer() (*Tokenizer, error) {
	model, err := ggufValue(v, "model", "")
	if err != nil {
		return nil, err
	}
	if model == "" {
		return nil, errors.New("no tokenizer.ggml.model: the file has no vocabulary")
	}
	if err := v.read(); err != nil {
		return nil, err
	}
	var t *Tokenizer
	switch model {
	case "gpt2":
		t, err = v.bytePairs()
	case "llama":
		t, err = v.pieces(false)
	case "t5":
		t, err = v.pieces(true)
	case "bert":
		t, err = v.wordPiece()
	case "rwkv":
		t, err = v.longest()
	default:
		return nil, fmt.Errorf("tokenizer.ggml.model is %q: known are gpt2, llama, bert, t5 and rwkv", model)
	}
	if err != nil {
		return nil, err
	}
	return t, v.frame(t, model)
}

// ggufValue returns a value of type T, or unset where the key is missing.
func ggufValue[T any](v *ggufVocab, key string, unset T) (T, error) {
	value, ok := v.kv[ggufPrefix+key]
	if !ok {
		return unset, nil
	}
	typed, ok := value.(T)
	if !ok {
		return unset, fmt.Errorf("%s%s is a %T, want a %T", ggufPrefix, key, value, unset)
	}
	return typed, nil
}

// read takes the arrays that all kinds have.
func (v *ggufVocab) read() error {
	var err error
	if v.tokens, err = ggufValue[[]string](v, "tokens", nil); err != nil {
		return err
	}
	if len(v.tokens) == 0 {
		return errors.New("tokenizer.ggml.tokens is missing or empty")
	}
	if len(v.tokens) > math.MaxInt32 {
		return fmt.Errorf("tokenizer.ggml.tokens has %d entries", len(v.tokens))
	}
	kinds, err := ggufValue[[]int32](v, "token_type", nil)
	if err != nil {
		return err
	}
	v.kinds = make([]pieceKind, len(v.tokens))
	for id := range v.kinds {
		if v.kinds[id] = pieceNormal; kinds != nil && id < len(kinds) {
			v.kinds[id] = pieceKind(kinds[id])
		}
	}
	if kinds != nil && len(kinds) < len(v.tokens) {
		return fmt.Errorf("tokenizer.ggml.token_type has %d entries, tokens %d", len(kinds), len(v.tokens))
	}
	if v.scores, err = ggufValue[[]float32](v, "scores", nil); err != nil {
		return err
	}
	if v.scores == nil {
		v.scores = make([]float32, len(v.tokens))
	}
	if len(v.scores) < len(v.tokens) {
		return fmt.Errorf("tokenizer.ggml.scores has %d entries, tokens %d", len(v.scores), len(v.tokens))
	}
	v.scores = v.scores[:len(v.tokens)]
	v.tokens = slices.Clone(v.tokens) // the metadata is not ours
	seen := make(map[string]int, len(v.tokens))
	for id, token := range v.tokens {
		if len(token) > maxToken {
			return fmt.Errorf("tokenizer.ggml.tokens[%d] has %d bytes, at most %d are allowed", id, len(token), maxToken)
		}
		if token == "" { // as llama.cpp names it
			token = fmt.Sprintf("[EMPTY_%d]", id)
			v.tokens[id] = token
		}
		if other, twice := seen[token]; twice {
			return fmt.Errorf("tokenizer.ggml.tokens: ids %d and %d are both %.80q", other, id, token)
		}
		seen[token] = id
	}
	return nil
}

// added lists the tokens that are found in text before it is cut.
func (v *ggufVocab) added() (added []addedToken) {
	for id, kind := range v.kinds {
		switch kind {
		case pieceUnknown, pieceControl:
			added = append(added, addedToken{ID: int32(id), Content: v.tokens[id], Special: true})
		case pieceUser:
			added = append(added, addedToken{ID: int32(id), Content: v.tokens[id]})
		}
	}
	name, _ := v.kv["general.name"].(string)
	if name = strings.ToLower(name); strings.Contains(name, "phi-3") || strings.Contains(name, "phi3") {
		for i := range added { // as in Phi-3's tokenizer.json, which GGUF can't say
			a := &added[i]
			a.Rstrip = !slices.Contains([]string{"<unk>", "<s>", "<|endoftext|>"}, a.Content)
		}
	}
	return added
}

// ggufIgnoreMerges are the pre-tokenisers whose pieces need no merges where they
// are tokens.
var ggufIgnoreMerges = []string{
	"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
	"tekken", "minicpm5", "granite-embed-multi-97m",
}

// bytePairs makes byte-level BPE (gpt2).
func (v *ggufVocab) bytePairs() (*Tokenizer, error) {
	pre, err := ggufValue(v, "pre", "default")
	if err != nil {
		return nil, err
	}
	steps, raw, ok := ggufSteps(pre)
	if !ok {
		return nil, fmt.Errorf("tokenizer.ggml.pre is %q: known are %s", pre, strings.Join(ggufNames(), ", "))
	}
	merges, err := ggufValue[[]string](v, "merges", nil)
	if err != nil {
		return nil, err
	}
	vocab := &vocabulary{ids: make(map[string]int32, len(v.tokens)), top: int32(len(v.tokens) - 1)}
	for id, token := range v.tokens {
		vocab.ids[token] = int32(id)
	}
	t := &Tokenizer{ignoreMerges: slices.Contains(ggufIgnoreMerges, pre)}
	if err := t.fill(vocab, v.added()); err != nil {
		return nil, err
	}
	for i, line := range merges {
		cut := strings.Index(line[min(1, len(line)):], " ") + 1
		if cut == 0 {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %.80q has no space between two tokens", i, line)
		}
		r, err := vocab.rule(line[:cut], line[cut+1:], i)
		if err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.merges[%d]: %w", i, err)
		}
		t.rules = append(t.rules, r)
	}
	b, err := newBytePairs(t.vocab, t.rules, t.ignoreMerges)
	if err != nil {
		return nil, err
	}
	t.model = b
	t.raw.PreTokenizer = raw
	t.index()
	t.setSteps(steps)
	return t, nil
}

// pieces makes SentencePiece's BPE (llama) or unigram (t5).
func (v *ggufVocab) pieces(isUnigram bool) (*Tokenizer, error) {
	f := pieceFile{pieces: v.tokens, scores: v.scores, kinds: v.kinds, unigram: isUnigram, split: true}
	var err error
	if f.norm.dummyPrefix, err = ggufValue(v, "add_space_prefix", !isUnigram); err != nil {
		return nil, err
	}
	if f.norm.squeeze, err = ggufValue(v, "remove_extra_whitespaces", false); err != nil {
		return nil, err
	}
	f.norm.escape = true
	f.fallback = byteTable(v.tokens) != nil && !isUnigram
	f.added = v.added()
	if isUnigram {
		raw, err := v.charsmap()
		if err != nil {
			return nil, err
		}
		if f.norm.charsmap, err = readCharsmap(raw); err != nil {
			return nil, fmt.Errorf("tokenizer.ggml.%w", err)
		}
	} else {
		f.norm.squeeze = false // llama.cpp has it for t5 only
	}
	return f.tokenizer()
}

// charsmap is an array of bytes, signed or not.
func (v *ggufVocab) charsmap() ([]byte, error) {
	switch raw := v.kv[ggufPrefix+"precompiled_charsmap"].(type) {
	case nil:
		return nil, nil
	case []byte:
		return slices.Clone(raw), nil
	case []int8:
		out := make([]byte, len(raw))
		for i, b := range raw {
			out[i] = byte(b)
		}
		return out, nil
	default:
		return nil, fmt.Errorf("tokenizer.ggml.precompiled_charsmap is a %T, want bytes", raw)
	}
}

// wordPiece makes WordPiece (bert). A token that begins a word has U+2581
// before it, one that goes on has nothing; BERT's own files have ## there.
func (v *ggufVocab) wordPiece() (*Tokenizer, error) {
	lowercase, err := ggufValue(v, "normalizer.lowercase", true)
	if err != nil {
		return nil, err
	}
	strip, err := ggufValue(v, "normalizer.strip_accents", lowercase)
	if err != nil {
		return nil, err
	}
	unknown, err := v.id("unknown_token_id", 100)
	if err != nil {
		return nil, err
	}
	if unknown < 0 {
		return nil, errors.New("tokenizer.ggml.unknown_token_id is missing: WordPiece needs it")
	}
	const prefix = "##"
	added := v.added()
	special := map[int32]bool{}
	for _, a := range added {
		special[a.ID] = true
	}
	vocab := &vocabulary{ids: make(map[string]int32, len(v.tokens)), top: int32(len(v.tokens) - 1)}
	pieces := make([]string, len(v.tokens))
	for id, token := range v.tokens {
		piece, begins := strings.CutPrefix(token, metaspace)
		bracketed := strings.HasPrefix(token, "[") && strings.HasSuffix(token, "]") // [unused0]: left as it was
		if !begins && !bracketed && !special[int32(id)] && int32(id) != unknown {
			piece = prefix + token
		}
		if other, twice := vocab.ids[piece]; twice {
			return nil, fmt.Errorf("tokenizer.ggml.tokens: ids %d and %d both stand for %.80q", other, id, piece)
		}
		if vocab.ids[piece] = int32(id); !special[int32(id)] {
			pieces[id] = piece
		}
	}
	t := &Tokenizer{normalizers: []normalizer{newBERTNormalizer(true, true, strip, lowercase)}}
	p := prefix
	d := decoding{prefix: &p, cleanup: true, strip: stripOne}
	if err := t.placePieces(vocab, added, &d, preTokenizing{}); err != nil {
		return nil, err
	}
	t.model = newWordPiece(pieces, prefix, unknown, maxWordPiece)
	t.describeBERT(vocab.pieces(), strip, lowercase, unknown)
	t.index()
	t.setSteps([]step{{cut: bertWords{}}})
	return t, nil
}

// maxWordPiece is the most characters of a word that is not unknown, as in
// BERT's tokenizer.json.
const maxWordPiece = 100

// longest makes RWKV's longest match; tokens are escaped as in Python.
func (v *ggufVocab) longest() (*Tokenizer, error) {
	unknown, err := v.id("unknown_token_id", -1)
	if err != nil {
		return nil, err
	}
	var keys []trieKey
	for id, token := range v.tokens {
		if k := v.kinds[id]; k == pieceNormal || k == pieceUser {
			keys = append(keys, trieKey{unescapeRWKV(token), int32(id)})
		}
	}
	return newLongest(keys, int32(len(v.tokens)-1), unknown)
}

// unescapeRWKV reads \t, \n, \r and \x00; another character behind a backslash
// stands for itself.
func unescapeRWKV(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'x':
			value := 0
			for range 2 {
				if i+1 < len(s) {
					i++
					value = value<<4 | hexDigit(s[i])
				}
			}
			out = append(out, byte(value))
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func hexDigit(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return int(b|0x20-'a') + 10
	}
	return 0
}

// id reads the id of a special token. An id outside the vocabulary counts as
// missing.
func (v *ggufVocab) id(key string, unset int32) (int32, error) {
	n, err := ggufValue(v, key, uint32(math.MaxUint32))
	switch {
	case err != nil:
		return 0, err
	case int64(n) < int64(len(v.tokens)):
		return int32(n), nil
	case int(unset) < len(v.tokens):
		return unset, nil
	}
	return -1, nil
}

// frame sets the ids before and after a text.
func (v *ggufVocab) frame(t *Tokenizer, model string) error {
	pre, _ := v.kv[ggufPrefix+"pre"].(string)
	bos, eos, sep := int32(-1), int32(-1), int32(-1)
	addBOS, addEOS, addSep := false, false, false
	switch model {
	case "llama":
		bos, eos, addBOS = 1, 2, true
	case "bert":
		bos, sep, addBOS, addSep = 101, 102, true, true
	case "t5":
		eos, addEOS = 1, true
	case "gpt2":
		bos, eos = 11, 11
		addBOS = slices.Contains(ggufBegin, pre)
		addSep = pre == "jina-v1-en" || pre == "jina-v2-code" || pre == "roberta-bpe"
	}
	for _, x := range []struct {
		key string
		id  *int32
	}{{"bos_token_id", &bos}, {"eos_token_id", &eos}, {"seperator_token_id", &sep}} {
		id, err := v.id(x.key, *x.id)
		if err != nil {
			return err
		}
		*x.id = id
	}
	for _, x := range []struct {
		key string
		on  *bool
	}{{"add_bos_token", &addBOS}, {"add_eos_token", &addEOS}, {"add_sep_token", &addSep}} {
		on, err := ggufValue(v, x.key, *x.on)
		if err != nil {
			return err
		}
		*x.on = on
	}
	if addBOS && bos >= 0 {
		t.before = []int32{bos}
	}
	if addEOS && eos >= 0 {
		t.after = []int32{eos}
	}
	if model == "bert" && addSep && sep >= 0 {
		t.after = []int32{sep}
	}
	t.raw.PostProcessor = t.template()
	return nil
}

// ggufBegin are the pre-tokenisers of models that begin each text with a token
// even if the file does not say so.
var ggufBegin = []string{
	"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken", "chameleon",
}
