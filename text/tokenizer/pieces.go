package tokenizer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// pieceKind is the type of a piece, with the numbers of sentencepiece_model.proto
// and of tokenizer.ggml.token_type.
type pieceKind int32

const (
	pieceNormal pieceKind = iota + 1
	pieceUnknown
	pieceControl
	pieceUser
	pieceUnused
	pieceByte
)

// pieceFile is a vocabulary of pieces with scores, from tokenizer.model or from
// a GGUF file.
type pieceFile struct {
	pieces  []string // by id
	scores  []float32
	kinds   []pieceKind
	unigram bool
	// fallback says that byte tokens stand for what the pieces lack.
	fallback bool
	norm     pieceNormalizer
	// unknownSurface is what the unknown piece is shown as.
	unknownSurface string
	// split says that control and user-defined pieces are cut out of the text
	// before anything else, and that each part between them is a text of its
	// own, as llama.cpp does; added are these pieces. SentencePiece never reads
	// control pieces in text, and user-defined ones are part of it.
	split bool
	added []addedToken
}

// looksLikePieces says whether data begins like a tokenizer.model: field 1 with
// a short message whose field 1 is text.
func looksLikePieces(data []byte) bool {
	return len(data) > 3 && data[0] == 1<<3|wireBytes && data[1] < 0x80 && data[2] == 1<<3|wireBytes
}

// parsePieces reads a tokenizer.model.
func parsePieces(data []byte) (*Tokenizer, error) {
	f := pieceFile{norm: pieceNormalizer{dummyPrefix: true, squeeze: true, escape: true}, unknownSurface: " \u2047 "}
	kind := int64(1)
	p := protobuf{data}
	for len(p.rest) > 0 {
		field, err := p.next()
		if err != nil {
			return nil, err
		}
		if field.number > 5 {
			continue // extensions
		}
		if err := field.want("a part of the model", wireBytes); err != nil {
			return nil, err
		}
		switch field.number {
		case 1:
			err = f.addPiece(field.bytes)
		case 2:
			kind, err = f.readTrainer(field.bytes, kind)
		case 3:
			err = f.readNormalizer(field.bytes)
		case 5:
			other := pieceFile{}
			if err = other.readNormalizer(field.bytes); err == nil && other.norm.charsmap != nil {
				err = errors.New("denormalizer_spec has a charsmap, which is not supported")
			}
		}
		if err != nil {
			return nil, err
		}
	}
	switch kind {
	case 1:
		f.unigram = true
	case 2:
	default:
		return nil, fmt.Errorf("trainer_spec.model_type is %d: only unigram (1) and BPE (2) models can be read", kind)
	}
	t, err := f.tokenizer()
	if err != nil {
		return nil, err
	}
	return t, nil
}

// addPiece reads a message SentencePiece.
func (f *pieceFile) addPiece(data []byte) error {
	piece, score, kind := "", float32(0), pieceNormal
	p := protobuf{data}
	for len(p.rest) > 0 {
		field, err := p.next()
		if err != nil {
			return fmt.Errorf("piece %d: %w", len(f.pieces), err)
		}
		switch field.number {
		case 1:
			err, piece = field.want("piece", wireBytes), string(field.bytes)
		case 2:
			err, score = field.want("score", wire32), field.float()
		case 3:
			err, kind = field.want("type", wireVarint), pieceKind(min(field.n, 1<<20))
		}
		if err != nil {
			return fmt.Errorf("piece %d: %w", len(f.pieces), err)
		}
	}
	f.pieces, f.scores, f.kinds = append(f.pieces, piece), append(f.scores, score), append(f.kinds, kind)
	return nil
}

// readTrainer reads the fields of TrainerSpec that matter to encoding.
func (f *pieceFile) readTrainer(data []byte, kind int64) (int64, error) {
	p := protobuf{data}
	for len(p.rest) > 0 {
		field, err := p.next()
		if err != nil {
			return 0, fmt.Errorf("trainer_spec: %w", err)
		}
		switch field.number {
		case 3:
			err, kind = field.want("model_type", wireVarint), int64(field.n)
		case 24:
			err, f.norm.suffix = field.want("treat_whitespace_as_suffix", wireVarint), field.n != 0
		case 35:
			err, f.fallback = field.want("byte_fallback", wireVarint), field.n != 0
		case 44:
			err, f.unknownSurface = field.want("unk_surface", wireBytes), string(field.bytes)
		}
		if err != nil {
			return 0, fmt.Errorf("trainer_spec: %w", err)
		}
	}
	return kind, nil
}

// readNormalizer reads a NormalizerSpec.
func (f *pieceFile) readNormalizer(data []byte) error {
	p := protobuf{data}
	for len(p.rest) > 0 {
		field, err := p.next()
		if err != nil {
			return fmt.Errorf("normalizer_spec: %w", err)
		}
		switch field.number {
		case 2:
			if err = field.want("precompiled_charsmap", wireBytes); err == nil {
				f.norm.charsmap, err = readCharsmap(slices.Clone(field.bytes))
			}
		case 3:
			err, f.norm.dummyPrefix = field.want("add_dummy_prefix", wireVarint), field.n != 0
		case 4:
			err, f.norm.squeeze = field.want("remove_extra_whitespaces", wireVarint), field.n != 0
		case 5:
			err, f.norm.escape = field.want("escape_whitespaces", wireVarint), field.n != 0
		}
		if err != nil {
			return fmt.Errorf("normalizer_spec: %w", err)
		}
	}
	return nil
}

// check finds what is wrong with the pieces, and the unknown piece.
func (f *pieceFile) check() (unknown int32, err error) {
	if len(f.pieces) == 0 {
		return 0, errors.New("no pieces in the file: is this a SentencePiece model?")
	}
	unknown = -1
	seen := make(map[string]int, len(f.pieces))
	for id, piece := range f.pieces {
		switch {
		case piece == "":
			return 0, fmt.Errorf("piece %d is empty", id)
		case len(piece) > maxToken:
			return 0, fmt.Errorf("piece %d has %d bytes, at most %d are allowed", id, len(piece), maxToken)
		case math.IsNaN(float64(f.scores[id])):
			return 0, fmt.Errorf("piece %d, %.80q: the score is not a number", id, piece)
		}
		if other, twice := seen[piece]; twice {
			return 0, fmt.Errorf("pieces %d and %d are both %.80q: remove one", other, id, piece)
		}
		seen[piece] = id
		if f.kinds[id] == pieceUnknown && unknown < 0 {
			unknown = int32(id)
		}
	}
	return unknown, nil
}

// tokenizer makes the tokenizer of a vocabulary of pieces.
func (f *pieceFile) tokenizer() (*Tokenizer, error) {
	unknown, err := f.check()
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{tokens: make([]string, len(f.pieces)), added: f.added}
	back := fallback{unknown: unknown, fuse: true}
	if f.fallback {
		if back.bytes = byteTable(f.pieces); back.bytes == nil {
			return nil, errors.New("byte_fallback is true, but not all tokens <0x00> to <0xFF> are there")
		}
	}
	f.norm.replace = back.bytes == nil
	open := make([]string, len(f.pieces)) // pieces that text may become
	var user []trieKey
	for id, piece := range f.pieces {
		t.tokens[id] = strings.ReplaceAll(piece, metaspace, " ")
		switch f.kinds[id] {
		case pieceControl, pieceUnknown:
			if t.tokens[id] = ""; f.split {
				break
			}
			t.added = append(t.added, addedToken{ID: int32(id), Content: piece, Special: true})
		case pieceByte:
			if b, ok := byteOf(piece); ok {
				t.tokens[id] = string([]byte{b})
			}
		case pieceUser:
			if f.split {
				t.tokens[id] = piece
				break
			}
			user = append(user, trieKey{piece, int32(id)})
			if f.unigram {
				open[id] = piece
			} else {
				t.added = append(t.added, addedToken{ID: int32(id), Content: piece, Normalized: true, late: true})
			}
		default:
			open[id] = piece
		}
	}
	if len(user) > 0 {
		f.norm.protect = newTrie(user)
	}
	t.normalizers = []normalizer{&f.norm}
	t.reading = f.reading(unknown)
	if f.unigram {
		t.model = f.newUnigram(open, back)
	} else {
		t.model = f.newPairs(open, back)
	}
	t.modelText = f.modelText
	t.findByBytes(f.pieces)
	t.index()
	t.setSteps(nil)
	t.describe(f)
	return t, nil
}

// reading is how SentencePiece decodes: the space that encoding added goes, and
// an unknown piece is shown as a question mark.
func (f *pieceFile) reading(unknown int32) reading {
	r := reading{unkID: unknown, unknown: f.unknownSurface, again: true}
	switch {
	case f.norm.squeeze:
		r.strip = stripEach
	case f.norm.dummyPrefix && !f.norm.suffix:
		r.strip = stripOne
	}
	return r
}

// newPairs makes the BPE model of the pieces that text may become.
func (f *pieceFile) newPairs(open []string, back fallback) *charPairs {
	rules, chars := rulesOfScores(open, f.scores)
	c := newCharPairs(open, chars, rules, back)
	if back.bytes != nil { // else neighbours may become one unknown token
		c.joins = newJoinTable(results(rules, open))
	}
	var without mergeTable
	for id, kind := range f.kinds {
		if kind != pieceUnused || utf8.RuneCountInString(open[id]) < 2 {
			continue
		}
		// What the piece consists of: the two symbols that it is merged from.
		if c.apart == nil {
			c.apart = map[int32][2]int32{}
			without = newMergeTable(slices.DeleteFunc(slices.Clone(rules), func(r mergeRule) bool { return f.kinds[r.id] == pieceUnused && int(r.id) < len(f.kinds) }))
		}
		var symbols []int32
		for _, r := range open[id] {
			symbols = append(symbols, c.start[string(r)])
		}
		if parts := without.apply(nil, symbols, &merger{}); len(parts) == 2 {
			c.apart[int32(id)] = [2]int32{parts[0], parts[1]}
		}
	}
	return c
}

// newUnigram makes the unigram model. SentencePiece keeps sums in 32 bits,
// llama.cpp in 64.
func (f *pieceFile) newUnigram(open []string, back fallback) *unigram {
	least, most := float32(math.MaxFloat32), float32(0x1p-126)
	for id, kind := range f.kinds {
		if kind == pieceNormal {
			least, most = min(least, f.scores[id]), max(most, f.scores[id])
		}
	}
	scores := make([]float64, len(f.scores))
	for id, score := range f.scores {
		scores[id] = float64(score)
		switch f.kinds[id] {
		case pieceUser:
			scores[id] = float64(float32(len(f.pieces[id]))*most) - userDefinedBonus
		case pieceUnused:
			if !f.split {
				open[id] = ""
			}
		}
	}
	u := newUnigram(open, scores, float64(least), back)
	u.unknown, u.single = float64(least-unknownPenalty), !f.split
	return u
}
