package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxFile is the largest file read, in bytes. The largest published
// tokenizer.json files have about 35 MB.
const maxFile = 1 << 28

// Load reads tokenizer.json, given its path or that of the directory that
// holds it. A directory without one may hold vocab.json and merges.txt of GPT-2
// instead. Only byte-level BPE models can be read.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir := path
		path = filepath.Join(dir, "tokenizer.json")
		vocab, merges := filepath.Join(dir, "vocab.json"), filepath.Join(dir, "merges.txt")
		if !exists(path) && exists(vocab) && exists(merges) {
			return LoadMerges(vocab, merges, FileOptions{})
		}
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w: name a tokenizer.json or a directory that holds one", err)
	}
	if err != nil {
		return nil, err
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// readFile is os.ReadFile with a limit.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("tokenizer %s: larger than %d MiB, which no tokenizer is: check the path", path, maxFile>>20)
	}
	return data, nil
}

// tokenizerFile is tokenizer.json, model is its model field; what is not
// listed has no influence on ids.
type tokenizerFile struct {
	AddedTokens []addedToken `json:"added_tokens"`
	rawFields
	Model json.RawMessage `json:"model"`
}

type model struct {
	Type                    string          `json:"type"`
	Dropout                 *float64        `json:"dropout"`
	UnkToken                *string         `json:"unk_token"`
	ContinuingSubwordPrefix string          `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string          `json:"end_of_word_suffix"`
	FuseUnk                 bool            `json:"fuse_unk"`
	ByteFallback            bool            `json:"byte_fallback"`
	IgnoreMerges            bool            `json:"ignore_merges"`
	Vocab                   json.RawMessage `json:"vocab"`
	Merges                  json.RawMessage `json:"merges"`
}

// parse reads the text of a tokenizer.json.
func parse(data []byte) (*Tokenizer, error) {
	var file tokenizerFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, badJSON("", err)
	}
	if isNull(file.Model) {
		return nil, errors.New("field model is missing: this is not a tokenizer.json")
	}
	var m model
	if err := json.Unmarshal(file.Model, &m); err != nil {
		return nil, badJSON("model", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	t := &Tokenizer{ignoreMerges: m.IgnoreMerges, raw: file.rawFields}
	p, prefixSpace, err := readPreTokenizer(file.PreTokenizer)
	if err != nil {
		return nil, err
	}
	t.prefixSpace = prefixSpace
	if t.nfc, err = readNormalizer(file.Normalizer); err != nil {
		return nil, err
	}
	vocab, err := readVocab(m.Vocab)
	if err != nil {
		return nil, err
	}
	if err := t.fill(vocab, file.AddedTokens); err != nil {
		return nil, err
	}
	if t.rules, err = readMerges(m.Merges, vocab); err != nil {
		return nil, err
	}
	if t.before, t.after, err = readFrame(file.PostProcessor, len(t.tokens)); err != nil {
		return nil, err
	}
	return t, t.finish(p)
}

// check refuses models that are not byte-level BPE.
func (m *model) check() error {
	switch {
	case m.Type != "BPE" && (m.Type != "" || isNull(m.Merges)):
		return fmt.Errorf("model.type is %q: only byte-level BPE can be read", m.Type)
	case m.ByteFallback:
		return errors.New("model.byte_fallback is true: SentencePiece-like models (Llama 1 and 2, Mistral) can't be read, only byte-level BPE")
	case m.ContinuingSubwordPrefix != "":
		return fmt.Errorf("model.continuing_subword_prefix is %q: only byte-level BPE, which has none, can be read", m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != "":
		return fmt.Errorf("model.end_of_word_suffix is %q: only byte-level BPE, which has none, can be read", m.EndOfWordSuffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout is %v: set it to null, ids must not be random", *m.Dropout)
	}
	return nil
}

// fill sets the tokens from the vocabulary's entries and the added tokens.
func (t *Tokenizer) fill(vocab *vocabulary, added []addedToken) error {
	top := vocab.top
	content := make(map[string]bool, len(added))
	for i := range added {
		a := &added[i]
		switch {
		case a.ID < 0:
			return fmt.Errorf("added_tokens[%d].id is negative: %d", i, a.ID)
		case a.Content == "":
			return fmt.Errorf("added_tokens[%d].content is empty: remove the token", i)
		case content[a.Content]:
			return fmt.Errorf("added_tokens[%d].content: %q is there twice: remove one", i, a.Content)
		}
		content[a.Content] = true
		top = max(top, a.ID)
	}
	if err := checkTop(top, len(vocab.ids)+len(added)); err != nil {
		return err
	}
	t.tokens = make([]string, top+1)
	used := make([]string, top+1) // the entry that has the id
	t.vocab = make(map[string]int32, len(vocab.ids))
	t.literal = map[int32]bool{}
	for key, id := range vocab.ids {
		used[id] = key
		if content[key] {
			continue
		}
		bytes, ok := unspell(key)
		if !ok {
			bytes = key
			t.literal[id] = true
		}
		t.tokens[id] = bytes
		if other, twice := t.vocab[bytes]; twice {
			return fmt.Errorf("model.vocab: ids %d and %d stand for the same bytes %.80q: remove one", min(id, other), max(id, other), bytes)
		}
		t.vocab[bytes] = id
	}
	for i, a := range added {
		id, inVocab := vocab.ids[a.Content]
		if inVocab && id != a.ID {
			return fmt.Errorf("added_tokens[%d]: %.80q has id %d, but model.vocab gives it %d: make them equal", i, a.Content, a.ID, id)
		}
		if other := used[a.ID]; other != "" && other != a.Content {
			return fmt.Errorf("added_tokens[%d]: id %d of %.80q belongs to %.80q already: give it another", i, a.ID, a.Content, other)
		}
		used[a.ID] = a.Content
		a.inVocab = inVocab
		t.added = append(t.added, a)
		if !a.Special {
			t.tokens[a.ID] = a.Content
		}
	}
	return nil
}

// maxHoles is how many ids below the largest may be unused.
const maxHoles = 1 << 16

func checkTop(top int32, entries int) error {
	if int(top) >= entries+maxHoles {
		return fmt.Errorf("id %d is far above the number of tokens (%d): the ids of a vocabulary must be nearly without gaps", top, entries)
	}
	return nil
}

// readNormalizer accepts no normalisation and NFC.
func readNormalizer(raw json.RawMessage) (nfc bool, err error) {
	var n struct {
		Type        string            `json:"type"`
		Normalizers []json.RawMessage `json:"normalizers"`
	}
	if isNull(raw) {
		return false, nil
	}
	if err := json.Unmarshal(raw, &n); err != nil {
		return false, badJSON("normalizer", err)
	}
	switch {
	case n.Type == "NFC":
		return true, nil
	case n.Type == "Sequence" && len(n.Normalizers) == 0:
		return false, nil
	case n.Type == "Sequence" && len(n.Normalizers) == 1:
		return readNormalizer(n.Normalizers[0])
	}
	return false, fmt.Errorf("normalizer.type: %q is not supported: byte-level models use none or NFC", n.Type)
}

// postProcessor is the post_processor field.
type postProcessor struct {
	Type       string            `json:"type"`
	Processors []json.RawMessage `json:"processors"`
	Single     []struct {
		SpecialToken *struct {
			ID string `json:"id"`
		} `json:"SpecialToken"`
		Sequence *struct{} `json:"Sequence"`
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
	Cls, Sep []any
}

// readFrame finds what a post-processor puts around one text.
func readFrame(raw json.RawMessage, size int) (before, after []int32, err error) {
	if isNull(raw) {
		return nil, nil, nil
	}
	var p postProcessor
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, nil, badJSON("post_processor", err)
	}
	switch p.Type {
	case "ByteLevel":
	case "Sequence":
		for _, step := range p.Processors {
			b, a, err := readFrame(step, size)
			if err != nil {
				return nil, nil, err
			}
			before, after = append(b, before...), append(after, a...)
		}
	case "TemplateProcessing":
		to := &before
		for _, part := range p.Single {
			if part.Sequence != nil {
				to = &after
			}
			if part.SpecialToken != nil {
				*to = append(*to, p.SpecialTokens[part.SpecialToken.ID].IDs...)
			}
		}
	case "RobertaProcessing", "BertProcessing":
		for _, end := range []struct {
			pair []any
			to   *[]int32
		}{{p.Cls, &before}, {p.Sep, &after}} {
			if len(end.pair) == 2 {
				if id, ok := end.pair[1].(float64); ok && 0 <= id && id < float64(size) {
					*end.to = append(*end.to, int32(id))
				}
			}
		}
	default:
		return nil, nil, fmt.Errorf("post_processor.type: %q is not supported", p.Type)
	}
	for _, id := range append(append([]int32{}, before...), after...) {
		if id < 0 || int(id) >= size {
			return nil, nil, fmt.Errorf("post_processor: id %d is outside the vocabulary of %d", id, size)
		}
	}
	return before, after, nil
}

// isNull says that a field is absent or null.
func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// badJSON names the field and the place of a JSON error.
func badJSON(field string, err error) error {
	var syntax *json.SyntaxError
	if field != "" {
		field += ": "
	}
	if errors.As(err, &syntax) {
		return fmt.Errorf("%snot valid JSON at byte %d (%w): the file is cut short or damaged, fetch it again", field, syntax.Offset, err)
	}
	return fmt.Errorf("%s%w", field, err)
}
