package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
		if len(piece) > maxToken {
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
