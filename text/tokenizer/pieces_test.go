package tokenizer

import (
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
)

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
	for _, c := range []struct {
		tok  *Tokenizer
		ids  []int32
		want bool
	}{
		{tok, nil, true}, {tok, []int32{1}, true}, {tok, []int32{1, 9}, false}, {tok, []int32{9, 1}, true},
		{mustPieces(t, base, isBPE, keepsAll+noPrefix), []int32{1}, false},
		{mustPieces(t, base, isBPE+"\xc0\x01\x01", keepsAll), []int32{1}, false}, // behind the text
		{Bytes("<s>"), []int32{256}, false},
	} {
		if got := c.tok.BlankAfter(c.ids); got != c.want {
			t.Errorf("a blank behind %v: %v, want %v", c.ids, got, c.want)
		}
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
