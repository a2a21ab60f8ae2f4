package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Save writes tokenizer.json to path, or into path where it is a directory.
// Load and Hugging Face tokenizers read it back to the same ids. Parts of a
// loaded file that have no influence on ids are kept, padding and truncation
// excepted. Vocabularies for which the format has no equal give an error:
// RWKV's, and SentencePiece models that are unigram or whose rules about spaces
// differ from Hugging Face's.
func (t *Tokenizer) Save(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "tokenizer.json")
	}
	data, err := t.MarshalJSON()
	if err != nil {
		return fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// MarshalJSON returns the text of tokenizer.json.
func (t *Tokenizer) MarshalJSON() ([]byte, error) {
	raw := t.raw
	byteLevel := marshal(map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false})
	if raw.Decoder == nil && t.modelText == nil {
		raw.Decoder = byteLevel
	}
	if raw.PostProcessor == nil && t.modelText == nil {
		raw.PostProcessor = byteLevel
	}
	added := t.added
	if added == nil {
		added = []addedToken{}
	}
	var b bytes.Buffer
	b.WriteString("{\n \"version\": \"1.0\",\n \"truncation\": null,\n \"padding\": null,\n \"added_tokens\": ")
	b.Write(marshal(added))
	for _, field := range []struct {
		name string
		raw  json.RawMessage
	}{
		{"normalizer", raw.Normalizer},
		{"pre_tokenizer", raw.PreTokenizer},
		{"post_processor", raw.PostProcessor},
		{"decoder", raw.Decoder},
	} {
		if isNull(field.raw) {
			field.raw = json.RawMessage("null")
		}
		fmt.Fprintf(&b, ",\n \"%s\": %s", field.name, field.raw)
	}
	b.WriteString(",\n \"model\": ")
	if t.modelText == nil {
		t.writeBytePairs(&b)
	} else {
		model, err := t.modelText()
		if err != nil {
			return nil, err
		}
		b.Write(model)
	}
	b.WriteString("\n}")
	return b.Bytes(), nil
}

// writeBytePairs writes the model field of byte-level BPE.
func (t *Tokenizer) writeBytePairs(b *bytes.Buffer) {
	b.WriteString("{\n  \"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n")
	fmt.Fprintf(b, "  \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": %v,\n  \"vocab\": {", t.ignoreMerges)
	keys := t.keys()
	comma := ""
	for id, key := range keys {
		if a := t.byID[int32(id)]; key != "" && (a == nil || a.inVocab) {
			fmt.Fprintf(b, "%s\n   %s: %d", comma, marshal(key), id)
			comma = ","
		}
	}
	b.WriteString("\n  },\n  \"merges\": [")
	comma = ""
	for _, r := range t.rulesByRank() {
		fmt.Fprintf(b, "%s\n   %s", comma, marshal(keys[r.a]+" "+keys[r.b]))
		comma = ","
	}
	b.WriteString("\n  ]\n }")
}

// keys returns the tokens as model.vocab spells them, by id.
func (t *Tokenizer) keys() []string {
	keys := make([]string, len(t.tokens))
	for id, token := range t.tokens {
		if keys[id] = spell(token); t.literal[int32(id)] {
			keys[id] = token
		}
	}
	for _, a := range t.added {
		keys[a.ID] = a.Content
	}
	return keys
}

// rulesByRank returns the merges in the order of their ranks.
func (t *Tokenizer) rulesByRank() []mergeRule {
	rules := slices.Clone(t.rules)
	slices.SortStableFunc(rules, func(x, y mergeRule) int { return int(x.rank) - int(y.rank) })
	return rules
}

// marshal is json.Marshal that leaves <, > and & as they are. Its arguments
// cannot fail.
func marshal(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("tokenizer: " + err.Error())
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
