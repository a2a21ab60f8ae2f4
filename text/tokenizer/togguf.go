package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ggufPreferred are the names of tokenizer.ggml.pre that are written where
// several mean the same.
var ggufPreferred = []string{"gpt-2", "llama-bpe", "dbrx", "qwen2", "deepseek-llm", "deepseek-coder", "starcoder", "smollm"}

// GGUF returns the metadata from which FromGGUF makes the tokenizer again, for a
// model with the given number of embeddings; ids without a token are named as
// padding. Byte-level BPE and BPE over characters with a fallback to bytes, as in
// Llama 2, can be written.
func (t *Tokenizer) GGUF(vocab int) (map[string]any, error) {
	md, err := t.gguf(vocab)
	if err != nil {
		return nil, fmt.Errorf("the tokenizer has no place in GGUF: %w", err)
	}
	return md, nil
}

// bpeFile is what GGUF needs of tokenizer.json.
type bpeFile struct {
	Normalizer json.RawMessage `json:"normalizer"`
	Model      struct {
		Type         string           `json:"type"`
		Vocab        map[string]int32 `json:"vocab"`
		Merges       []mergeText      `json:"merges"`
		ByteFallback bool             `json:"byte_fallback"`
		Unknown      *string          `json:"unk_token"`
	} `json:"model"`
}

// mergeText is "a b", whether the file has it so or as a pair.
type mergeText string

func (m *mergeText) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, (*string)(m)) == nil {
		return nil
	}
	var pair [2]string
	err := json.Unmarshal(data, &pair)
	*m = mergeText(pair[0] + " " + pair[1])
	return err
}

func (t *Tokenizer) gguf(vocab int) (map[string]any, error) {
	data, err := t.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var f bpeFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, errors.New("it is no BPE")
	}
	m := &f.Model
	if m.Type != "BPE" {
		return nil, fmt.Errorf("it is of type %s: BPE can be written", m.Type)
	}
	if n := t.VocabSize(); n > vocab {
		return nil, fmt.Errorf("it has %d tokens, the model %d embeddings", n, vocab)
	}
	tokens, kinds := make([]string, vocab), make([]int32, vocab)
	for id := range tokens {
		tokens[id], kinds[id] = fmt.Sprintf("[PAD%d]", id), int32(pieceUnused)
	}
	for token, id := range m.Vocab {
		tokens[id], kinds[id] = token, int32(pieceNormal)
	}
	for _, a := range t.added {
		tokens[a.ID], kinds[a.ID] = a.Content, int32(pieceUser)
		if a.Special {
			kinds[a.ID] = int32(pieceControl)
		}
	}
	md := map[string]any{ggufPrefix + "tokens": tokens, ggufPrefix + "token_type": kinds}
	before, after := t.Frame()
	if len(before) > 1 || len(after) > 1 {
		return nil, errors.New("it puts several tokens before or after a text")
	}
	md[ggufPrefix+"add_bos_token"], md[ggufPrefix+"add_eos_token"] = len(before) > 0, len(after) > 0
	if len(before) > 0 {
		md[ggufPrefix+"bos_token_id"] = uint32(before[0])
	}
	if len(after) > 0 {
		md[ggufPrefix+"eos_token_id"] = uint32(after[0])
	}
	if m.ByteFallback {
		f.pieces(md, tokens, kinds)
		return md, nil
	}
	pre, err := t.ggufPre()
	if err != nil {
		return nil, err
	}
	merges := make([]string, len(m.Merges))
	for i, r := range m.Merges {
		merges[i] = string(r)
	}
	md[ggufPrefix+"model"], md[ggufPrefix+"pre"], md[ggufPrefix+"merges"] = "gpt2", pre, merges
	return md, nil
}

// pieces writes BPE over characters as SentencePiece has it: the earlier a merge
// the higher the score of what it makes.
func (f *bpeFile) pieces(md map[string]any, tokens []string, kinds []int32) {
	scores := make([]float32, len(tokens))
	for i := range scores {
		scores[i] = float32(-len(f.Model.Merges) - 1)
	}
	for i, r := range slices.Backward(f.Model.Merges) {
		if id, ok := f.Model.Vocab[strings.Replace(string(r), " ", "", 1)]; ok {
			scores[id] = float32(-i)
		}
	}
	for id, token := range tokens {
		if len(token) == 6 && strings.HasPrefix(token, "<0x") && kinds[id] == int32(pieceNormal) {
			kinds[id], scores[id] = int32(pieceByte), 0
		}
		if kinds[id] != int32(pieceNormal) {
			scores[id] = 0
		}
	}
	if u := f.Model.Unknown; u != nil {
		if id, ok := f.Model.Vocab[*u]; ok {
			kinds[id] = int32(pieceUnknown)
			md[ggufPrefix+"unknown_token_id"] = uint32(id)
		}
	}
	md[ggufPrefix+"model"], md[ggufPrefix+"pre"], md[ggufPrefix+"scores"] = "llama", "default", scores
	md[ggufPrefix+"add_space_prefix"] = strings.Contains(string(f.Normalizer), `"Prepend"`)
}

// ggufPre is the name of the pre-tokeniser. A vocabulary without merges may have
// any.
func (t *Tokenizer) ggufPre() (string, error) {
	if len(t.rules) == 0 {
		return ggufPreferred[0], nil
	}
	for _, name := range append(slices.Clone(ggufPreferred), ggufNames()...) {
		if slices.Contains(ggufIgnoreMerges, name) != t.ignoreMerges {
			continue
		}
		steps, _, ok := ggufSteps(name)
		if !ok {
			continue
		}
		same := Tokenizer{model: t.model, rules: t.rules}
		same.setSteps(steps)
		if reflect.DeepEqual(same.steps, t.steps) && reflect.DeepEqual(same.split, t.split) {
			return name, nil
		}
	}
	return "", errors.New("llama.cpp has no name for its pre-tokeniser")
}
