package tokenizer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// testPiece is an entry of a vocabulary under test.
type testPiece struct {
	piece string
	score float32
	kind  pieceKind
}

// The parts of a tokenizer.model's fields, as the protobuf format has them.
func protoBytes(field int, data string) string {
	b := binary.AppendUvarint(nil, uint64(field<<3|wireBytes))
	return string(append(binary.AppendUvarint(b, uint64(len(data))), data...))
}

func protoNumber(field int, n uint64) string {
	return string(binary.AppendUvarint(binary.AppendUvarint(nil, uint64(field<<3|wireVarint)), n))
}

func protoFloat(field int, x float32) string {
	b := binary.AppendUvarint(nil, uint64(field<<3|wire32))
	return string(binary.LittleEndian.AppendUint32(b, math.Float32bits(x)))
}

// pieceModel writes a tokenizer.model.
func pieceModel(pieces []testPiece, trainer, normalizer string) []byte {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(protoBytes(1, protoBytes(1, p.piece)+protoFloat(2, p.score)+protoNumber(3, uint64(p.kind))))
	}
	b.WriteString(protoBytes(2, trainer) + protoBytes(3, normalizer))
	return []byte(b.String())
}

// Trainer and normalizer fields.
const (
	isBPE    = "\x18\x02"
	fallsBac = "\x98\x02\x01" // byte_fallback
	keepsAll = "\x20\x00"     // no remove_extra_whitespaces
	noPrefix = "\x18\x00"     // no add_dummy_prefix
)

// piecesOf makes a vocabulary of the corpus: special pieces, bytes if wanted,
// each character, and parts of words, longer ones with higher scores.
func piecesOf(t testing.TB, bytes bool) []testPiece {
	pieces := []testPiece{{"<unk>", 0, pieceUnknown}, {"<s>", 0, pieceControl}, {"</s>", 0, pieceControl}}
	if bytes {
		for b := range 256 {
			pieces = append(pieces, testPiece{fmt.Sprintf("<0x%02X>", b), 0, pieceByte})
		}
	}
	counts := map[string]int{}
	for _, word := range strings.Fields(corpus(t)) {
		word = metaspace + word
		for i := range word {
			for j := range word[i:] {
				if j > 0 && utf8.RuneCountInString(word[i:i+j]) < 6 {
					counts[word[i:i+j]]++
				}
			}
		}
	}
	for i, piece := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return strings.Compare(a, b) }) {
		switch {
		case oneChar(piece):
			pieces = append(pieces, testPiece{piece, -float32(10 + i%7), pieceNormal})
		case counts[piece] > 1:
			pieces = append(pieces, testPiece{piece, -float32(i%97) / 8, pieceNormal})
		}
	}
	return pieces
}

func mustPieces(t testing.TB, pieces []testPiece, trainer, normalizer string) *Tokenizer {
	return must(t)(parsePieces(pieceModel(pieces, trainer, normalizer)))
}

// bertVocab is a small WordPiece vocabulary.
func bertVocab(t testing.TB) *Tokenizer {
	vocab := object{"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3}
	add := func(s string) {
		if _, ok := vocab[s]; !ok {
			vocab[s] = len(vocab)
		}
	}
	for _, r := range strings.ToLower(corpus(t)) + ".,!?'\"#()中文" {
		if r > ' ' {
			add(string(r))
			add("##" + string(r))
		}
	}
	for _, s := range []string{"the", "token", "##s", "text", "##ing", "##er", "of"} {
		add(s)
	}
	special := func(s string, id int) object { return object{"id": id, "content": s, "special": true} }
	return must(t)(parse(marshal(object{
		"added_tokens":  []any{special("[PAD]", 0), special("[UNK]", 1), special("[CLS]", 2), special("[SEP]", 3)},
		"normalizer":    object{"type": "BertNormalizer"},
		"pre_tokenizer": object{"type": "BertPreTokenizer"},
		"decoder":       object{"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model":         object{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab},
	})))
}

// rwkvVocab is a small vocabulary of RWKV's form.
func rwkvVocab(t testing.TB) *Tokenizer {
	var b strings.Builder
	id := 1
	for c := range 256 {
		if c < utf8.RuneSelf {
			fmt.Fprintf(&b, "%d %s 1\n", id, pythonQuote(string(rune(c))))
		} else {
			fmt.Fprintf(&b, "%d b'\\x%02x' 1\n", id, c)
		}
		id++
	}
	for _, s := range []string{"the", "token", " token", "tokens", "\n\n", "it's", "é", "数え", "\\", "\"'"} {
		if len(s) > 1 {
			fmt.Fprintf(&b, "%d %s %d\n", id, pythonQuote(s), len(s))
			id++
		}
	}
	return must(t)(parseRWKV(b.String()))
}

func pythonQuote(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteString("\\" + string(r))
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, "\\x%02x", r)
		default:
			b.WriteRune(r)
		}
	}
	return "'" + b.String() + "'"
}

// kindCase is a tokenizer of one kind and what Decode(Encode(s)) is for it.
type kindCase struct {
	name  string
	tok   *Tokenizer
	exact func(s string) string // nil: only ids are kept, where all is known
}

func kinds(t testing.TB) []kindCase {
	same := func(s string) string { return s }
	spaces := func(s string) string { return strings.ReplaceAll(s, metaspace, " ") }
	withBytes, without := piecesOf(t, true), piecesOf(t, false)
	user := append(slices.Clone(withBytes), testPiece{"<user>", 0, pieceUser}, testPiece{metaspace + metaspace, 0, pieceUser})
	return []kindCase{
		{"pieces", mustPieces(t, withBytes, isBPE+fallsBac, keepsAll), spaces},
		{"pieces without prefix", mustPieces(t, user, isBPE+fallsBac, keepsAll+noPrefix), spaces},
		{"pieces with user symbols", mustPieces(t, user, isBPE+fallsBac, keepsAll), spaces},
		{"squeezed pieces", mustPieces(t, without, isBPE, ""), nil},
		{"unigram", mustPieces(t, without, "", ""), nil},
		{"unigram with bytes", mustPieces(t, withBytes, fallsBac, keepsAll), spaces},
		{"wordpiece", bertVocab(t), nil},
		{"rwkv", rwkvVocab(t), same},
	}
}

func (k *kindCase) check(t *testing.T, s string) {
	t.Helper()
	ids := k.tok.Encode(s)
	text := k.tok.Decode(ids)
	if k.exact != nil {
		if want := k.exact(s); text != want {
			t.Errorf("%s: Decode(Encode(%.80q)) = %.80q, want %.80q", k.name, s, text, want)
		}
	} else if again := k.tok.Encode(text); !slices.Contains(ids, k.unknown()) && !slices.Equal(again, ids) {
		t.Errorf("%s: Encode(%.80q) = %v, but Encode of its text %.80q = %v", k.name, s, ids, text, again)
	}
	if second := k.tok.Encode(s); !slices.Equal(second, ids) {
		t.Errorf("%s: the second Encode(%.80q) = %v, want %v", k.name, s, second, ids)
	}
	for _, id := range ids {
		if _, special := k.tok.Special(id); special && id != k.unknown() {
			t.Errorf("%s: Encode(%.80q) gave the special token %d", k.name, s, id)
		}
	}
	stream := k.tok.NewStream()
	var all []byte
	for _, id := range ids {
		before := len(all)
		all = stream.Append(all, id)
		if utf8.ValidString(text) && !utf8.Valid(all[before:]) {
			t.Errorf("%s: %.60q: the stream cuts a character: %q", k.name, s, all[before:])
		}
	}
	if all = stream.Flush(all); string(all) != text {
		t.Errorf("%s: stream of %.60q gave %.60q, want %.60q", k.name, s, all, text)
	}
}

func (k *kindCase) unknown() int32 {
	for _, name := range []string{"<unk>", "[UNK]"} {
		if id, ok := k.tok.SpecialID(name); ok {
			return id
		}
	}
	return -1
}

func TestKindsRoundTrip(t *testing.T) {
	for _, k := range kinds(t) {
		for _, s := range append(slices.Clone(hardTexts), corpus(t), "<s>tokens</s>", "[CLS] tokens [SEP]", "<user> the<user>the", " ", "   the", "the   ", metaspace, "a"+metaspace+"b") {
			k.check(t, s)
		}
		text := corpus(t)
		ids := make([]int32, 0, len(text))
		if n := testing.AllocsPerRun(20, func() { ids = k.tok.EncodeAppend(ids[:0], text) }); n != 0 {
			t.Errorf("%s: EncodeAppend allocates %v times, want 0", k.name, n)
		}
	}
}

func FuzzKinds(f *testing.F) {
	all := kinds(f)
	for _, s := range hardTexts {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for i := range all {
			all[i].check(t, s)
		}
	})
}

// TestKindsSave expects saved tokenizers to give the same ids, or the error.
func TestKindsSave(t *testing.T) {
	for _, k := range kinds(t) {
		switch k.name {
		case "pieces", "pieces without prefix":
			// Equal scores of different pieces can't be said there.
			var pieces []testPiece
			for i, p := range piecesOf(t, true) {
				p.score = -float32(i)
				pieces = append(pieces, p)
			}
			k.tok = mustPieces(t, pieces, isBPE+fallsBac, keepsAll)
			if strings.Contains(k.name, "without") {
				pieces = append(pieces, testPiece{"<user>", 0, pieceUser})
				k.tok = mustPieces(t, pieces, isBPE+fallsBac, keepsAll+noPrefix)
			}
		case "wordpiece":
		default:
			if _, err := k.tok.MarshalJSON(); err == nil || !strings.Contains(err.Error(), "keep the original file") {
				t.Errorf("%s: MarshalJSON error = %v", k.name, err)
			}
			continue
		}
		loaded := again(t, k.tok)
		for _, s := range append(slices.Clone(hardTexts), corpus(t), "<s>tokens</s> the", "<user> the<user>the") {
			if got, want := loaded.Encode(s), k.tok.Encode(s); !slices.Equal(got, want) {
				t.Errorf("%s: saved: Encode(%.60q) = %v, want %v", k.name, s, got, want)
			}
			want := k.tok.EncodeSpecial(s)
			if got := loaded.EncodeSpecial(s); !slices.Equal(got, want) {
				t.Errorf("%s: saved: EncodeSpecial(%.60q) = %v, want %v", k.name, s, got, want)
			}
			if got, want := loaded.Decode(want), k.tok.Decode(want); got != want {
				t.Errorf("%s: saved: Decode = %.60q, want %.60q", k.name, got, want)
			}
		}
	}
}

func TestKindsConcurrent(t *testing.T) {
	text := corpus(t)
	for _, k := range kinds(t) {
		want := k.tok.Encode(text)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 5 {
					if !slices.Equal(k.tok.Encode(text), want) {
						t.Errorf("%s: ids differ under concurrent use", k.name)
						return
					}
				}
			})
		}
		wg.Wait()
	}
}
