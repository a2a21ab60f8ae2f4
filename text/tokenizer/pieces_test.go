package tokenizer

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/internal/rng"
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

// TestPieceRules compares BPE by scores with its definition: of all neighbours
// that are a piece together, the best one merges.
func TestPieceRules(t *testing.T) {
	alphabet := []string{"a", "b", "c", "é", metaspace}
	for round := range uint64(300) {
		pieces := []testPiece{{"<unk>", 0, pieceUnknown}}
		seen := map[string]bool{"<unk>": true}
		for i := range uint64(25) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(1, round, i)%4 {
				b.WriteString(alphabet[rng.Intn(2, round, 10*i+k, len(alphabet))])
			}
			if piece := b.String(); !seen[piece] {
				seen[piece] = true
				pieces = append(pieces, testPiece{piece, float32(rng.Intn(3, round, i, 12)), pieceNormal})
			}
		}
		tok := mustPieces(t, pieces, isBPE, keepsAll+noPrefix)
		for i := range uint64(10) {
			var b strings.Builder
			for k := range rng.Uint64(4, round, i) % 12 {
				b.WriteString(append(slices.Clone(alphabet[:4]), " ", "z")[rng.Intn(5, round, 100*i+k, 6)])
			}
			s := b.String()
			if got, want := tok.Encode(s), plainPieceIDs(pieces, s); !slices.Equal(got, want) {
				t.Fatalf("round %d: Encode(%q) = %v, want %v of %v", round, s, got, want, pieces)
			}
		}
	}
}

// plainPieceIDs is BPE by scores as it is defined.
func plainPieceIDs(pieces []testPiece, s string) []int32 {
	ids := map[string]int32{}
	for id, p := range pieces {
		if p.kind == pieceNormal {
			ids[p.piece] = int32(id)
		}
	}
	symbols := strings.Split(strings.ReplaceAll(s, " ", metaspace), "")
	for {
		best, at := float32(-1), -1
		for i := 0; i+1 < len(symbols); i++ {
			if id, ok := ids[symbols[i]+symbols[i+1]]; ok && pieces[id].score > best {
				best, at = pieces[id].score, i
			}
		}
		if at < 0 {
			break
		}
		symbols = slices.Replace(symbols, at, at+2, symbols[at]+symbols[at+1])
	}
	out := []int32{}
	for _, symbol := range symbols {
		id, ok := ids[symbol]
		if !ok && len(out) > 0 && out[len(out)-1] == 0 {
			continue
		}
		out = append(out, id)
	}
	return out
}

// TestUnigramIsBest compares the path with the best of all paths.
func TestUnigramIsBest(t *testing.T) {
	for round := range uint64(200) {
		var pieces []string
		var scores []float64
		pieces, scores = append(pieces, ""), append(scores, 0)
		for i := range uint64(15) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(1, round, i)%4 {
				b.WriteString([]string{"a", "b", "é"}[rng.Intn(2, round, 10*i+k, 3)])
			}
			if !slices.Contains(pieces, b.String()) {
				pieces, scores = append(pieces, b.String()), append(scores, -1-10*rng.Float64(3, round, i))
			}
		}
		u := newUnigram(pieces, scores, -11, fallback{unknown: 0})
		for i := range uint64(5) {
			var b strings.Builder
			for k := range 1 + rng.Uint64(4, round, i)%9 {
				b.WriteString([]string{"a", "b", "é", "z"}[rng.Intn(5, round, 100*i+k, 4)])
			}
			s := b.String()
			sum := 0.0
			var text strings.Builder
			for _, id := range u.encode(nil, s, &scratch{}) {
				text.WriteString(pieces[id])
				if sum += scores[id]; id == 0 {
					sum += u.unknown
				}
			}
			want := bestSum(u, pieces, s)
			if math.Abs(sum-want) > 1e-9 {
				t.Fatalf("round %d: the path of %q has score %g, the best %g", round, s, sum, want)
			}
		}
	}
}

// bestSum tries all paths.
func bestSum(u *unigram, pieces []string, s string) float64 {
	if s == "" {
		return 0
	}
	best := math.Inf(-1)
	_, n := utf8.DecodeRuneInString(s)
	for id, piece := range pieces {
		if rest, ok := strings.CutPrefix(s, piece); ok && piece != "" {
			best = max(best, u.scores[id]+bestSum(u, pieces, rest))
		}
	}
	if !slices.Contains(pieces, s[:n]) {
		best = max(best, u.unknown+bestSum(u, pieces, s[n:]))
	}
	return best
}

func TestTrie(t *testing.T) {
	for round := range uint64(100) {
		keys := map[string]int32{}
		var list []trieKey
		for i := range uint64(rng.Intn(1, round, 0, 60)) {
			b := make([]byte, 1+rng.Intn(2, round, i, 5))
			for k := range b {
				b[k] = []byte{0, 1, 'a', 'b', 0xFF}[rng.Intn(3, round, 10*i+uint64(k), 5)]
			}
			if _, twice := keys[string(b)]; !twice {
				keys[string(b)] = int32(i)
				list = append(list, trieKey{string(b), int32(i)})
			}
		}
		tr := newTrie(list)
		text := make([]byte, 200)
		for k := range text {
			text[k] = []byte{0, 1, 'a', 'b', 0xFF, 'c'}[rng.Intn(4, round, uint64(k), 6)]
		}
		for i := range text {
			want, value := 0, int32(-1)
			for n := 1; n <= 6 && i+n <= len(text); n++ {
				if id, ok := keys[string(text[i:i+n])]; ok {
					want, value = n, id
				}
			}
			if n, id := tr.longest(string(text), i); n != want || id != value {
				t.Fatalf("round %d: longest at %q = %d, %d, want %d, %d", round, text[i:], n, id, want, value)
			}
		}
	}
}

// TestPieceDetails follows SentencePiece's rules one by one.
func TestPieceDetails(t *testing.T) {
	normal := func(pieces ...string) (out []testPiece) {
		for i, p := range pieces {
			out = append(out, testPiece{p, float32(i), pieceNormal})
		}
		return out
	}
	base := append([]testPiece{{"<unk>", 0, pieceUnknown}, {"<s>", 0, pieceControl}}, normal(metaspace, "a", "b", "<", "s", ">", "ab", metaspace+"a")...)
	user := append(slices.Clone(base), testPiece{"aba", 0, pieceUser})
	unused := append(slices.Clone(base), testPiece{"ba", 100, pieceUnused})
	for _, test := range []struct {
		name                string
		pieces              []testPiece
		trainer, normalizer string
		text, want, back    string // pieces separated by spaces
	}{
		{"prefix", base, isBPE, keepsAll, "ab", "▁a b", "ab"},
		{"kept spaces", base, isBPE, keepsAll, " a  b ", "▁ ▁a ▁ ▁ b ▁", " a  b "},
		{"squeezed spaces", base, isBPE, "", " a  b ", "▁a ▁ b", "a b"},
		{"only spaces", base, isBPE, "", "   ", "", ""},
		{"no prefix", base, isBPE, keepsAll + noPrefix, "ab", "ab", "ab"},
		{"control is text", base, isBPE, keepsAll + noPrefix, "<s>", "< s >", "<s>"},
		{"unknown runs are one", base, isBPE, keepsAll + noPrefix, "axyb", "a <unk> b", "a \u2047 b"},
		{"user symbol", user, isBPE, keepsAll + noPrefix, "ababa", "aba b a", "ababa"},
		{"user symbol, unigram", user, "", keepsAll + noPrefix, "ababa", "ab aba", "ababa"},
		{"unused is taken apart", unused, isBPE, keepsAll + noPrefix, "ba", "b a", "ba"},
		{"unused, unigram", unused, "", keepsAll + noPrefix, "ba", "b a", "ba"},
		{"suffix", base, isBPE + "\xc0\x01\x01", keepsAll, "a", "a ▁", "a "},
	} {
		tok := mustPieces(t, test.pieces, test.trainer, test.normalizer)
		var got []string
		ids := tok.Encode(test.text)
		for _, id := range ids {
			got = append(got, test.pieces[id].piece)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: Encode(%q) = %q, want %q", test.name, test.text, got, test.want)
		}
		if back := tok.Decode(ids); back != test.back {
			t.Errorf("%s: Decode = %q, want %q", test.name, back, test.back)
		}
	}
	tok := mustPieces(t, base, isBPE, keepsAll)
	// Each text between special tokens begins anew.
	ids := tok.EncodeSpecial("<s>a<s>a")
	if want := []int32{1, 9, 1, 9}; !slices.Equal(ids, want) || tok.Decode(ids) != "aa" || tok.DecodeSpecial(ids) != "<s>a<s>a" {
		t.Errorf("EncodeSpecial = %v, want %v; %q, %q", ids, want, tok.Decode(ids), tok.DecodeSpecial(ids))
	}
	// A stream that goes on with a text keeps the space.
	if got := tok.NewStreamAfter([]int32{1, 3}).Append(nil, 9); string(got) != " a" {
		t.Errorf("stream behind a text gave %q, want %q", got, " a")
	}
	if got := tok.NewStreamAfter([]int32{3, 1}).Append(nil, 9); string(got) != "a" {
		t.Errorf("stream behind a special token gave %q, want %q", got, "a")
	}
}

func TestBadPieces(t *testing.T) {
	good := []testPiece{{"<unk>", 0, pieceUnknown}, {"a", 0, pieceNormal}}
	for _, test := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "no pieces", nil},
		{"cut short", "cut short", pieceModel(good, isBPE, "")[:20]},
		{"twice", `pieces 1 and 2 are both "a"`, pieceModel(append(slices.Clone(good), good[1]), isBPE, "")},
		{"empty piece", "piece 2 is empty", pieceModel(append(slices.Clone(good), testPiece{"", 0, pieceNormal}), isBPE, "")},
		{"not a number", "piece 2", pieceModel(append(slices.Clone(good), testPiece{"b", float32(math.NaN()), pieceNormal}), isBPE, "")},
		{"no bytes", "byte_fallback", pieceModel(good, isBPE+fallsBac, "")},
		{"other model", "model_type is 3", pieceModel(good, "\x18\x03", "")},
		{"score is text", "score has wire type", []byte(protoBytes(1, protoBytes(1, "a")+protoBytes(2, "x")))},
		{"charsmap", "precompiled_charsmap", pieceModel(good, isBPE, protoBytes(2, "\xff\xff\xff\x7fabc"))},
		{"charsmap without end", "precompiled_charsmap", pieceModel(good, isBPE, protoBytes(2, "\x04\x00\x00\x00aaaabbb"))},
		{"lying length", "field 1 has", []byte("\x0a\xff\xff\xff\xff\x0f")},
		{"long piece", "at most", pieceModel(append(slices.Clone(good), testPiece{strings.Repeat("b", maxToken+1), 0, pieceNormal}), isBPE, "")},
	} {
		path := t.TempDir() + "/tokenizer.model"
		if err := os.WriteFile(path, test.data, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error = %v, want one that names the file and %q", test.name, err, test.want)
		}
	}
}

func FuzzParsePieces(f *testing.F) {
	f.Add(pieceModel([]testPiece{{"<unk>", 0, pieceUnknown}, {metaspace + "a", -1, pieceNormal}, {"a", -2, pieceNormal}, {"<u>", 0, pieceUser}}, isBPE, keepsAll))
	f.Add(pieceModel([]testPiece{{"<unk>", 0, pieceUnknown}, {metaspace + "a", -1, pieceNormal}, {"a", -2, pieceUnused}}, "", protoBytes(2, "\x08\x00\x00\x00\x00\x04\x00\x00a\x01\x00\x00xy\x00")))
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		tok, err := parsePieces(data)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20+1000*uint64(len(data)) {
			t.Errorf("%d bytes of file cost %d bytes of memory", len(data), used)
		}
		if err != nil {
			return
		}
		for _, s := range hardTexts[:15] {
			tok.Decode(tok.EncodeSpecial(s))
			tok.Encode(s)
		}
		if out, err := tok.MarshalJSON(); err == nil {
			if _, err := parse(out); err != nil {
				t.Errorf("the saved file can't be read: %v", err)
			}
		}
	})
}
