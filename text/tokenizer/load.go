package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFile is the largest file read, in bytes. The largest published
// tokenizer.json files have about 35 MB.
const maxFile = 1 << 28

// Load reads a vocabulary file: tokenizer.json of Hugging Face, tokenizer.model
// of SentencePiece, ranks of tiktoken (.tiktoken), RWKV's rwkv_vocab_*.txt. A
// directory is searched for these in this order, then for GPT-2's vocab.json and
// merges.txt. FromGGUF takes the vocabulary of a GGUF file.
func Load(path string) (*Tokenizer, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return loadDir(path)
	}
	switch {
	case filepath.Ext(path) == ".tiktoken":
		return LoadTiktoken(path, FileOptions{Pattern: ranksPattern(path)})
	case filepath.Ext(path) == ".txt":
		return LoadRWKV(path)
	}
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("tokenizer: %w: name a tokenizer.json, a tokenizer.model or a directory that holds one", err)
	}
	if err != nil {
		return nil, err
	}
	read := parse
	if bytes.HasPrefix(data, []byte("GGUF")) {
		return nil, fmt.Errorf("tokenizer %s: a GGUF file, whose metadata FromGGUF takes", path)
	}
	if filepath.Ext(path) == ".model" || looksLikePieces(data) {
		read = parsePieces
	}
	t, err := read(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %s: %w", path, err)
	}
	return t, nil
}

// ranksPattern is the pattern of OpenAI's files of ranks, by their names.
func ranksPattern(path string) string {
	for name, pattern := range map[string]string{"r50k_base": "gpt2", "p50k_base": "gpt2", "o200k_base": "gpt4o"} {
		if strings.HasPrefix(filepath.Base(path), name) {
			return pattern
		}
	}
	return ""
}

// loadDir loads the first vocabulary that the directory has.
func loadDir(dir string) (*Tokenizer, error) {
	for _, name := range []string{"tokenizer.json", "tokenizer.model"} {
		if path := filepath.Join(dir, name); exists(path) {
			t, err := Load(path)
			if err == nil && name == "tokenizer.model" {
				err = t.readConfig(filepath.Join(dir, "tokenizer_config.json"))
			}
			return t, err
		}
	}
	for _, pattern := range []string{"*.tiktoken", "rwkv_vocab_*.txt"} {
		// The pattern is well formed, so there is no error but of reading.
		if found, _ := fs.Glob(os.DirFS(dir), pattern); len(found) > 0 {
			return Load(filepath.Join(dir, found[0]))
		}
	}
	if vocab, merges := filepath.Join(dir, "vocab.json"), filepath.Join(dir, "merges.txt"); exists(vocab) && exists(merges) {
		return LoadMerges(vocab, merges, FileOptions{})
	}
	return Load(filepath.Join(dir, "tokenizer.json"))
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

// tokenizerFile is tokenizer.json; what is not listed has no influence on ids.
type tokenizerFile struct {
	AddedTokens []addedToken `json:"added_tokens"`
	rawFields
	Model json.RawMessage `json:"model"`
}

// modelFile is the model field, of all kinds together.
type modelFile struct {
	Type                    string          `json:"type"`
	Dropout                 *float64        `json:"dropout"`
	UnkToken                *string         `json:"unk_token"`
	UnkID                   *int64          `json:"unk_id"`
	ContinuingSubwordPrefix *string         `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string          `json:"end_of_word_suffix"`
	MaxInputChars           *int            `json:"max_input_chars_per_word"`
	FuseUnk                 bool            `json:"fuse_unk"`
	ByteFallback            bool            `json:"byte_fallback"`
	IgnoreMerges            bool            `json:"ignore_merges"`
	Vocab                   json.RawMessage `json:"vocab"`
	Merges                  json.RawMessage `json:"merges"`
}

// kind is the type of model; files of early versions do not say it.
func (m *modelFile) kind() string {
	switch {
	case m.Type != "":
		return m.Type
	case !isNull(m.Merges):
		return "BPE"
	case m.MaxInputChars != nil:
		return "WordPiece"
	case len(m.Vocab) > 0 && m.Vocab[0] == '[':
		return "Unigram"
	}
	return ""
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
	var m modelFile
	if err := json.Unmarshal(file.Model, &m); err != nil {
		return nil, badJSON("model", err)
	}
	pre, err := readPreTokenizer(file.PreTokenizer)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{raw: file.rawFields}
	if t.normalizers, err = readNormalizer(file.Normalizer, "normalizer"); err != nil {
		return nil, err
	}
	switch m.kind() {
	case "BPE":
		if err := m.checkBPE(); err != nil {
			return nil, err
		}
		if pre.byteLevel {
			err = t.readBytePairs(&m, file.AddedTokens)
		} else {
			err = t.readCharPairs(&m, file.AddedTokens, pre)
		}
	case "Unigram":
		err = t.readUnigram(&m, file.AddedTokens, pre)
	case "WordPiece":
		err = t.readWordPiece(&m, file.AddedTokens, pre)
	default:
		err = fmt.Errorf("model.type is %q: known are BPE, Unigram and WordPiece", m.Type)
	}
	if err != nil {
		return nil, err
	}
	if !pre.byteLevel {
		model := file.Model
		t.modelText = func() ([]byte, error) { return model, nil }
	}
	t.index()
	t.setSteps(pre.steps)
	t.before, t.after, err = readFrame(file.PostProcessor, len(t.tokens))
	return t, err
}

// checkBPE refuses what no BPE model here has.
func (m *modelFile) checkBPE() error {
	switch {
	case m.ContinuingSubwordPrefix != nil && *m.ContinuingSubwordPrefix != "":
		return fmt.Errorf("model.continuing_subword_prefix is %q: BPE models with one can't be read", *m.ContinuingSubwordPrefix)
	case m.EndOfWordSuffix != "":
		return fmt.Errorf("model.end_of_word_suffix is %q: BPE models with one can't be read", m.EndOfWordSuffix)
	case m.Dropout != nil && *m.Dropout != 0:
		return fmt.Errorf("model.dropout is %v: set it to null, ids must not be random", *m.Dropout)
	}
	return nil
}

// readBytePairs makes a byte-level model.
func (t *Tokenizer) readBytePairs(m *modelFile, added []addedToken) error {
	if m.ByteFallback {
		return errors.New("model.byte_fallback is true and pre_tokenizer is ByteLevel: one of them must go")
	}
	vocab, err := readVocab(m.Vocab)
	if err != nil {
		return err
	}
	if err := t.fill(vocab, added); err != nil {
		return err
	}
	if t.rules, err = readMerges(m.Merges, vocab); err != nil {
		return err
	}
	t.ignoreMerges = m.IgnoreMerges
	b, err := newBytePairs(t.vocab, t.rules, t.ignoreMerges)
	t.model = b
	t.lateTokens()
	return err
}

// lateTokens marks the added tokens that are looked for in normalised text.
func (t *Tokenizer) lateTokens() {
	for i := range t.added {
		a := &t.added[i]
		if a.Normalized && len(t.normalizers) > 0 {
			a.late = true
			a.pattern = a.Content
			for _, n := range t.normalizers {
				s, _ := n.apply(a.pattern, nil)
				a.pattern = s
			}
		}
	}
}

// fill sets the tokens of a byte-level model from the vocabulary's entries and
// the added tokens.
func (t *Tokenizer) fill(vocab *vocabulary, added []addedToken) error {
	content := make(map[string]bool, len(added))
	for _, a := range added {
		content[a.Content] = true
	}
	t.literal = map[int32]bool{}
	bytes := make(map[string]string, len(vocab.ids))
	t.vocab = make(map[string]int32, len(vocab.ids))
	for key, id := range vocab.ids {
		if content[key] {
			continue
		}
		text, ok := unspell(key)
		if !ok {
			text = key
			t.literal[id] = true
		}
		bytes[key] = text
		if other, twice := t.vocab[text]; twice {
			return fmt.Errorf("model.vocab: ids %d and %d stand for the same bytes %.80q: remove one", min(id, other), max(id, other), text)
		}
		t.vocab[text] = id
	}
	return t.place(vocab, added, func(key string) string { return bytes[key] })
}

// place sets t.tokens and t.added. text gives the bytes of a vocabulary entry.
func (t *Tokenizer) place(vocab *vocabulary, added []addedToken, text func(key string) string) error {
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
	for key, id := range vocab.ids {
		if used[id] = key; !content[key] {
			t.tokens[id] = text(key)
		}
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

// readConfig takes the ids around a text from tokenizer_config.json, which says
// them where a tokenizer.model does not.
func (t *Tokenizer) readConfig(path string) error {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var config struct {
		AddBOS *bool           `json:"add_bos_token"`
		AddEOS *bool           `json:"add_eos_token"`
		BOS    json.RawMessage `json:"bos_token"`
		EOS    json.RawMessage `json:"eos_token"`
		Class  string          `json:"tokenizer_class"`
	}
	if err := json.Unmarshal(data, &config); err != nil {
		return fmt.Errorf("tokenizer %s: %w", path, badJSON("", err))
	}
	llama := strings.HasPrefix(config.Class, "Llama") // adds a begin token unless it is told not to
	if config.AddBOS != nil && *config.AddBOS || config.AddBOS == nil && llama {
		t.before = t.tokenNamed(config.BOS)
	}
	if config.AddEOS != nil && *config.AddEOS {
		t.after = t.tokenNamed(config.EOS)
	}
	return nil
}

// tokenNamed finds the special token of a configuration: a text, or an object
// with the text as content.
func (t *Tokenizer) tokenNamed(raw json.RawMessage) []int32 {
	var name string
	var object struct{ Content string }
	if json.Unmarshal(raw, &name) != nil && json.Unmarshal(raw, &object) == nil {
		name = object.Content
	}
	if id, ok := t.SpecialID(name); ok {
		return []int32{id}
	}
	return nil
}
