package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// describe sets the parts of tokenizer.json that say what a vocabulary of
// pieces does around the model, as Hugging Face converts such models.
func (t *Tokenizer) describe(f *pieceFile) {
	object := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	replace := func(old, to string) any {
		return object("type", "Replace", "pattern", object("String", old), "content", to)
	}
	var normalizers []any
	decoders := []any{replace(metaspace, " ")}
	if f.norm.dummyPrefix {
		normalizers = append(normalizers, object("type", "Prepend", "prepend", metaspace))
	}
	if f.fallback {
		decoders = append(decoders, object("type", "ByteFallback"))
	}
	decoders = append(decoders, object("type", "Fuse"))
	if f.norm.dummyPrefix {
		decoders = append(decoders, object("type", "Strip", "content", " ", "start", 1, "stop", 0))
	}
	t.raw.Normalizer = marshal(object("type", "Sequence", "normalizers", append(normalizers, replace(" ", metaspace))))
	t.raw.Decoder = marshal(object("type", "Sequence", "decoders", decoders))
}

// modelText writes tokenizer.json's model field of a BPE vocabulary, or says
// why there is no equal one. Merges that make one piece, which SentencePiece
// takes from the left, get an order of their own there; that matters only where
// they overlap, in text that repeats itself inside a piece.
func (f *pieceFile) modelText() ([]byte, error) {
	user := false
	for _, kind := range f.kinds {
		user = user || kind == pieceUser
		if kind == pieceUnused {
			return nil, errors.New("the vocabulary has unused pieces, which tokenizer.json can't say: keep the original file")
		}
	}
	n := &f.norm
	if f.unigram || n.charsmap != nil || n.squeeze || n.suffix || !n.escape || user && n.dummyPrefix && !f.split {
		return nil, errors.New("the vocabulary treats spaces or user-defined pieces in a way that tokenizer.json can't say: keep the original file")
	}
	open := make([]string, len(f.pieces))
	vocab := map[string]int32{}
	unknown := ""
	for id, piece := range f.pieces {
		vocab[piece] = int32(id)
		switch f.kinds[id] {
		case pieceNormal:
			open[id] = piece
		case pieceUnknown:
			if unknown == "" {
				unknown = piece
			}
		}
	}
	rules, chars := rulesOfScores(open, f.scores)
	for i, r := range rules {
		if max(r.a, r.b) >= int32(len(open)) {
			return nil, fmt.Errorf("piece %q consists of characters that are no pieces (such as %q), which tokenizer.json can't say: keep the original file", open[r.id], chars[max(r.a, r.b)-int32(len(open))])
		}
		if i > 0 && r.rank == rules[i-1].rank && r.id != rules[i-1].id && !sameRuns(open, rules, r.rank) {
			return nil, fmt.Errorf("pieces %q and %q have the same score, which tokenizer.json can't say: keep the original file", open[rules[i-1].id], open[r.id])
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "{\n  \"type\": \"BPE\", \"dropout\": null, \"unk_token\": %s, \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n", orNull(unknown))
	fmt.Fprintf(&b, "  \"fuse_unk\": true, \"byte_fallback\": %v, \"ignore_merges\": false,\n", f.fallback)
	writeVocab(&b, f.pieces)
	b.WriteString(",\n  \"merges\": [")
	comma := ""
	for _, r := range rules {
		fmt.Fprintf(&b, "%s\n   %s", comma, marshal([]string{open[r.a], open[r.b]}))
		comma = ","
	}
	b.WriteString("\n  ]\n }")
	return b.Bytes(), nil
}

// sameRuns says whether the pieces of one rank are runs of one character, such
// as of spaces, and such runs become the same ids when the rules are ranked in
// the order of the ids. Llama 2 has such pieces.
func sameRuns(open []string, rules []mergeRule, rank uint32) bool {
	var tied, ordered []mergeRule
	char, longest := "", 0
	for _, r := range rules {
		if r.rank != rank {
			continue
		}
		piece := open[r.id]
		_, n := utf8.DecodeRuneInString(piece)
		if char == "" {
			char = piece[:n]
		}
		if strings.Trim(piece, char) != "" {
			return false
		}
		longest = max(longest, utf8.RuneCountInString(piece))
		tied = append(tied, r)
		r.rank = uint32(len(ordered))
		ordered = append(ordered, r)
	}
	single := int32(slices.Index(open, char))
	a, b := newMergeTable(tied), newMergeTable(ordered)
	var m merger
	for n := 1; n <= 4*longest; n++ {
		run := slices.Repeat([]int32{single}, n)
		if !slices.Equal(a.apply(nil, slices.Clone(run), &m), b.apply(nil, run, &m)) {
			return false
		}
	}
	return true
}

// writeVocab writes "vocab" with the pieces by id.
func writeVocab(b *bytes.Buffer, pieces []string) {
	b.WriteString("  \"vocab\": {")
	comma := ""
	for id, piece := range pieces {
		if piece != "" {
			fmt.Fprintf(b, "%s\n   %s: %d", comma, marshal(piece), id)
			comma = ","
		}
	}
	b.WriteString("\n  }")
}

// template writes a post-processor that puts the ids of Frame around a text.
func (t *Tokenizer) template() json.RawMessage {
	if len(t.before)+len(t.after) == 0 {
		return nil
	}
	single, special := []any{}, map[string]any{}
	add := func(ids []int32) {
		for _, id := range ids {
			name := t.tokens[id]
			if a := t.byID[id]; a != nil {
				name = a.Content
			}
			single = append(single, map[string]any{"SpecialToken": map[string]any{"id": name, "type_id": 0}})
			special[name] = map[string]any{"id": name, "ids": []int32{id}, "tokens": []string{name}}
		}
	}
	add(t.before)
	single = append(single, map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}})
	add(t.after)
	pair := append(slices.Clone(single), map[string]any{"Sequence": map[string]any{"id": "B", "type_id": 1}})
	return marshal(map[string]any{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special})
}

// describeBERT sets the parts of tokenizer.json for WordPiece.
func (t *Tokenizer) describeBERT(pieces []string, strip, lowercase bool, unknown int32) {
	t.raw.Normalizer = marshal(map[string]any{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": strip, "lowercase": lowercase})
	t.raw.PreTokenizer = marshal(map[string]any{"type": "BertPreTokenizer"})
	t.raw.Decoder = marshal(map[string]any{"type": "WordPiece", "prefix": "##", "cleanup": true})
	t.modelText = func() ([]byte, error) {
		var b bytes.Buffer
		fmt.Fprintf(&b, "{\n  \"type\": \"WordPiece\", \"unk_token\": %s, \"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": %d,\n", marshal(pieces[unknown]), maxWordPiece)
		writeVocab(&b, pieces)
		b.WriteString("\n }")
		return b.Bytes(), nil
	}
}

// orNull is a JSON text, or null for "".
func orNull(s string) json.RawMessage {
	if s == "" {
		return json.RawMessage("null")
	}
	return marshal(s)
}
