package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

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
