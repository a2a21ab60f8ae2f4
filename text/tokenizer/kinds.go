package tokenizer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// readCharPairs makes BPE over characters from a model field.
func (t *Tokenizer) readCharPairs(m *modelFile, added []addedToken, pre preTokenizing) error {
	d, err := readDecoder(t.raw.Decoder)
	if err != nil {
		return err
	}
	if d.byteLevel {
		return errors.New("decoder is ByteLevel, but pre_tokenizer is not: one of them is missing")
	}
	vocab, err := readVocab(m.Vocab)
	if err != nil {
		return err
	}
	rules, err := readMerges(m.Merges, vocab)
	if err != nil {
		return err
	}
	f := fallback{unknown: -1, fuse: m.FuseUnk}
	if m.UnkToken != nil {
		id, ok := vocab.ids[*m.UnkToken]
		if !ok {
			return fmt.Errorf("model.unk_token %q is not in model.vocab", *m.UnkToken)
		}
		f.unknown = id
	}
	pieces := vocab.pieces()
	if m.ByteFallback {
		f.bytes = byteTable(pieces)
	}
	if err := t.placePieces(vocab, added, &d, pre); err != nil {
		return err
	}
	c := newCharPairs(pieces, nil, rules, f)
	if m.IgnoreMerges {
		c.whole = maps.Clone(vocab.ids)
		for _, a := range t.added { // these are found before
			delete(c.whole, a.Content)
		}
	}
	if !m.IgnoreMerges && (f.bytes != nil || !f.fuse) {
		c.joins = newJoinTable(results(rules, pieces))
	}
	t.model, t.ignoreMerges = c, m.IgnoreMerges
	return nil
}

// results are the pieces that rules make.
func results(rules []mergeRule, pieces []string) (out []string) {
	for _, r := range rules {
		out = append(out, pieces[r.id])
	}
	return out
}

// readUnigram makes a unigram model from a model field.
func (t *Tokenizer) readUnigram(m *modelFile, added []addedToken, pre preTokenizing) error {
	d, err := readDecoder(t.raw.Decoder)
	if err != nil {
		return err
	}
	vocab, scores, err := readScores(m.Vocab)
	if err != nil {
		return err
	}
	f := fallback{unknown: -1, fuse: true}
	if m.UnkID != nil {
		if *m.UnkID < 0 || *m.UnkID >= int64(len(scores)) {
			return fmt.Errorf("model.unk_id is %d, outside the vocabulary of %d", *m.UnkID, len(scores))
		}
		f.unknown = int32(*m.UnkID)
	}
	pieces := vocab.pieces()
	if m.ByteFallback {
		f.bytes = byteTable(pieces)
	}
	if err := t.placePieces(vocab, added, &d, pre); err != nil {
		return err
	}
	for _, a := range added {
		if a.Special && a.ID < int32(len(pieces)) { // text must not become it
			pieces[a.ID] = ""
		}
	}
	if f.unknown >= 0 {
		pieces[f.unknown] = ""
	}
	t.model = newUnigram(pieces, scores, slices.Min(scores), f)
	return nil
}

// readScores reads [["piece", score], ...].
func readScores(raw json.RawMessage) (*vocabulary, []float64, error) {
	var entries []json.RawMessage
	if isNull(raw) || json.Unmarshal(raw, &entries) != nil {
		return nil, nil, errors.New(`model.vocab is not a list of ["piece", score]`)
	}
	v := &vocabulary{ids: make(map[string]int32, len(entries)), top: int32(len(entries) - 1)}
	scores := make([]float64, len(entries))
	for i, entry := range entries {
		var piece string
		pair := []any{&piece, &scores[i]}
		if err := json.Unmarshal(entry, &pair); err != nil || len(pair) != 2 {
			return nil, nil, fmt.Errorf(`model.vocab[%d] is not ["piece", score]`, i)
		}
		if math.IsNaN(scores[i]) || len(piece) > maxToken {
			return nil, nil, fmt.Errorf("model.vocab[%d]: %.80q has %d bytes, at most %d are allowed", i, piece, len(piece), maxToken)
		}
		if other, twice := v.ids[piece]; twice {
			return nil, nil, fmt.Errorf("model.vocab: ids %d and %d are both %.80q: remove one", other, i, piece)
		}
		v.ids[piece] = int32(i)
	}
	if len(entries) == 0 {
		return nil, nil, errors.New("model.vocab is empty")
	}
	return v, scores, nil
}

// readWordPiece makes a WordPiece model from a model field.
func (t *Tokenizer) readWordPiece(m *modelFile, added []addedToken, pre preTokenizing) error {
	prefix, most, unk := "##", 100, "[UNK]"
	if m.ContinuingSubwordPrefix != nil {
		prefix = *m.ContinuingSubwordPrefix
	}
	if m.MaxInputChars != nil {
		most = *m.MaxInputChars
	}
	if m.UnkToken != nil {
		unk = *m.UnkToken
	}
	vocab, err := readVocab(m.Vocab)
	if err != nil {
		return err
	}
	d, err := readDecoder(t.raw.Decoder)
	if err != nil {
		return err
	}
	unknown, ok := vocab.ids[unk]
	if !ok {
		return fmt.Errorf("model.unk_token %q is not in model.vocab", unk)
	}
	if err := t.placePieces(vocab, added, &d, pre); err != nil {
		return err
	}
	pieces := vocab.pieces()
	for _, a := range added {
		if a.Special && a.ID < int32(len(pieces)) {
			pieces[a.ID] = ""
		}
	}
	t.model = newWordPiece(pieces, prefix, unknown, most)
	return nil
}

// newWordPiece makes the model of the pieces that text may become; those that
// go on with a word have the prefix.
func newWordPiece(pieces []string, prefix string, unknown int32, maxChars int) *wordPiece {
	var first, rest []trieKey
	for id, piece := range pieces {
		first = append(first, trieKey{piece, int32(id)})
		if tail, ok := strings.CutPrefix(piece, prefix); ok {
			rest = append(rest, trieKey{tail, int32(id)})
		}
	}
	return &wordPiece{first: newTrie(first), rest: newTrie(rest), unknown: unknown, maxChars: maxChars}
}

// placePieces sets the tokens of a model whose vocabulary is spelled as text.
func (t *Tokenizer) placePieces(vocab *vocabulary, added []addedToken, d *decoding, pre preTokenizing) error {
	if err := t.place(vocab, added, d.text); err != nil {
		return err
	}
	t.findByBytes(vocab.pieces())
	t.lateTokens()
	t.reading = reading{strip: d.strip, unkID: -1}
	for _, n := range t.normalizers {
		if _, ok := n.(prepend); ok && d.strip != stripNothing {
			t.reading.again = true
		}
	}
	for _, s := range pre.steps {
		if s.lead != nil && s.lead.when == leadAlways && d.strip != stripNothing {
			t.reading.again = true
		}
	}
	return nil
}

// findByBytes fills t.vocab. Of tokens of equal bytes those that are no byte
// tokens count, and of these the one of lowest id.
func (t *Tokenizer) findByBytes(pieces []string) {
	t.vocab = make(map[string]int32, len(t.tokens))
	for _, bytes := range []bool{true, false} {
		for id, token := range slices.Backward(t.tokens) {
			isByte := false
			if id < len(pieces) {
				_, isByte = byteOf(pieces[id])
			}
			if token != "" && isByte == bytes {
				t.vocab[token] = int32(id)
			}
		}
	}
}

// maxToken is the most bytes of a token: no published one comes near it.
const maxToken = 1 << 16

// pieces lists the entries by id.
func (v *vocabulary) pieces() []string {
	pieces := make([]string, v.top+1)
	for piece, id := range v.ids {
		pieces[id] = piece
	}
	return pieces
}

// byteTable finds the tokens <0x00> to <0xFF>; nil unless all are there.
func byteTable(pieces []string) *[256]int32 {
	var table [256]int32
	found := 0
	for id, piece := range pieces {
		if b, ok := byteOf(piece); ok {
			table[b] = int32(id)
			found++
		}
	}
	if found != 256 {
		return nil
	}
	return &table
}

// byteOf reads a byte token, <0x00> to <0xFF>.
func byteOf(piece string) (byte, bool) {
	if len(piece) != 6 || !strings.HasPrefix(piece, "<0x") || piece[5] != '>' {
		return 0, false
	}
	value := 0
	for _, c := range []byte(piece[3:5]) {
		digit := strings.IndexByte("0123456789ABCDEF", c)
		if digit < 0 {
			return 0, false
		}
		value = 16*value + digit
	}
	return byte(value), true
}

// decoding is the decoder field: what bytes a piece stands for.
type decoding struct {
	byteLevel bool
	spaces    bool // U+2581 is a space
	bytes     bool // <0x00> is a byte
	prefix    *string
	cleanup   bool
	strip     stripWhat
}

// decoderFile is the decoder field as written.
type decoderFile struct {
	Type          string            `json:"type"`
	Decoders      []decoderFile     `json:"decoders"`
	Pattern       map[string]string `json:"pattern"`
	Content       string            `json:"content"`
	Start         int               `json:"start"`
	Stop          int               `json:"stop"`
	Prefix        string            `json:"prefix"`
	Cleanup       bool              `json:"cleanup"`
	PrependScheme string            `json:"prepend_scheme"`
	AddPrefix     *bool             `json:"add_prefix_space"`
}

func readDecoder(raw json.RawMessage) (d decoding, err error) {
	if isNull(raw) {
		return d, nil
	}
	var f decoderFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return d, badJSON("decoder", err)
	}
	return d, d.add(&f, "decoder")
}

func (d *decoding) add(f *decoderFile, field string) error {
	switch f.Type {
	case "Sequence":
		for i := range f.Decoders {
			if err := d.add(&f.Decoders[i], fmt.Sprintf("%s.decoders[%d]", field, i)); err != nil {
				return err
			}
		}
	case "ByteLevel":
		d.byteLevel = true
	case "ByteFallback":
		d.bytes = true
	case "Fuse":
	case "Metaspace":
		d.spaces = true
		if f.PrependScheme != "never" && (f.AddPrefix == nil || *f.AddPrefix) {
			d.strip = stripRun
		}
	case "Replace":
		if f.Pattern["String"] != metaspace || f.Content != " " {
			return fmt.Errorf("%s: only %q can be replaced, by a space", field, metaspace)
		}
		d.spaces = true
	case "Strip":
		if f.Content != " " || f.Start > 1 || f.Stop > 0 {
			return fmt.Errorf("%s: only one space at the start can be stripped", field)
		}
		if f.Start == 1 {
			d.strip = stripOne
		}
	case "WordPiece":
		d.prefix, d.cleanup, d.strip = &f.Prefix, f.Cleanup, stripOne
	default:
		return fmt.Errorf("%s.type: %q is not supported: known are ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, WordPiece and Sequence", field, f.Type)
	}
	return nil
}

// text returns the bytes of a piece inside a text.
func (d *decoding) text(piece string) string {
	if b, ok := byteOf(piece); ok && d.bytes {
		return string([]byte{b})
	}
	if d.prefix != nil {
		tail, ok := strings.CutPrefix(piece, *d.prefix)
		if !ok {
			tail = " " + piece
		}
		if d.cleanup {
			tail = wordPieceCleanup.Replace(tail)
		}
		return tail
	}
	if d.spaces {
		return strings.ReplaceAll(piece, metaspace, " ")
	}
	return piece
}

// wordPieceCleanup takes back the spaces before punctuation, as Hugging Face's
// WordPiece decoder does in each token.
var wordPieceCleanup = strings.NewReplacer(" .", ".", " ?", "?", " !", "!", " ,", ",", " n't", "n't", " 'm", "'m", " 's", "'s", " 've", "'ve", " 're", "'re")

// normalizerFile is the normalizer field as written.
type normalizerFile struct {
	Type               string            `json:"type"`
	Normalizers        []json.RawMessage `json:"normalizers"`
	Prepend            string            `json:"prepend"`
	Pattern            map[string]string `json:"pattern"`
	Content            string            `json:"content"`
	StripLeft          bool              `json:"strip_left"`
	StripRight         bool              `json:"strip_right"`
	CleanText          *bool             `json:"clean_text"`
	HandleChineseChars *bool             `json:"handle_chinese_chars"`
	StripAccents       *bool             `json:"strip_accents"`
	Lowercase          *bool             `json:"lowercase"`
	PrecompiledCharMap *string           `json:"precompiled_charsmap"`
}

func readNormalizer(raw json.RawMessage, field string) ([]normalizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	var f normalizerFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, badJSON(field, err)
	}
	forms := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}
	if form, ok := forms[f.Type]; ok {
		return []normalizer{normalForm{form}}, nil
	}
	yes := func(b *bool) bool { return b == nil || *b }
	switch f.Type {
	case "Sequence":
		var all []normalizer
		for i, part := range f.Normalizers {
			n, err := readNormalizer(part, fmt.Sprintf("%s.normalizers[%d]", field, i))
			if err != nil {
				return nil, err
			}
			all = append(all, n...)
		}
		return all, nil
	case "Lowercase":
		return []normalizer{newMapRunes(lowerCase)}, nil
	case "StripAccents":
		return []normalizer{newMapRunes(stripMarks)}, nil
	case "Strip":
		return []normalizer{trim{f.StripLeft, f.StripRight}}, nil
	case "Prepend":
		return []normalizer{prepend(f.Prepend)}, nil
	case "Replace":
		n, err := readReplace(&f, field)
		return []normalizer{n}, err
	case "BertNormalizer":
		lowercase := yes(f.Lowercase)
		strip := lowercase
		if f.StripAccents != nil {
			strip = *f.StripAccents
		}
		return []normalizer{newBERTNormalizer(yes(f.CleanText), yes(f.HandleChineseChars), strip, lowercase)}, nil
	case "Precompiled":
		if f.PrecompiledCharMap == nil || *f.PrecompiledCharMap == "" {
			return nil, nil
		}
		bytes, err := base64.StdEncoding.DecodeString(*f.PrecompiledCharMap)
		if err != nil {
			return nil, fmt.Errorf("%s.precompiled_charsmap is not base64", field)
		}
		m, err := readCharsmap(bytes)
		if err != nil {
			return nil, fmt.Errorf("%s.%w", field, err)
		}
		return []normalizer{precompiled{m}}, nil
	}
	return nil, fmt.Errorf("%s.type: %q is not supported: known are NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Prepend, Replace, BertNormalizer, Precompiled and Sequence", field, f.Type)
}

func readReplace(f *normalizerFile, field string) (normalizer, error) {
	if text, ok := f.Pattern["String"]; ok {
		return replaceText{text, f.Content}, nil
	}
	regex, ok := f.Pattern["Regex"]
	if !ok {
		return nil, fmt.Errorf("%s.pattern has neither String nor Regex", field)
	}
	if strings.Contains(f.Content, "$") {
		return nil, fmt.Errorf("%s.content: %q with a group's number is not supported", field, f.Content)
	}
	e, err := newExpression(regex, isolated, false)
	if err != nil {
		return nil, fmt.Errorf("%s.pattern.Regex: %w", field, err)
	}
	return replaceMatches{e, f.Content}, nil
}

// replaceMatches replaces what an expression matches.
type replaceMatches struct {
	e   *expression
	new string
}

func (r replaceMatches) apply(s string, buf []byte) (string, []byte) {
	found, _ := r.e.re.FindAllStringIndex(s, -1)
	if len(found) == 0 {
		return s, buf
	}
	var b bytes.Buffer
	at := 0
	for _, span := range found {
		b.WriteString(s[at:span[0]])
		b.WriteString(r.new)
		at = span[1]
	}
	b.WriteString(s[at:])
	buf = append(buf[:0], b.Bytes()...)
	return view(buf), buf
}
