package serve

import (
	"bytes"
	"encoding/gob"
	"time"

	"github.com/foundling-lm/foundling/generate"
)

// kept is texts as a cache holds them. gob and not JSON: texts may be any bytes, and
// log-probabilities infinite.
type kept struct {
	Seed  uint64
	Texts []keptText
}

type keptText struct {
	Result  generate.Result
	Pieces  []generate.Piece
	Details []keptDetail // of Result: a list may not hold nil
}

type keptDetail struct{ Detail *generate.Detail }

// packTexts is texts and the seed that they were drawn with.
func packTexts(seed uint64, texts []*text) ([]byte, error) {
	k := kept{Seed: seed}
	for _, t := range texts {
		x := keptText{Result: *t.Result, Pieces: make([]generate.Piece, len(t.pieces))}
		for _, d := range x.Result.Details {
			x.Details = append(x.Details, keptDetail{d})
		}
		x.Result.Details, x.Result.Began = nil, time.Time{}
		for i, p := range t.pieces {
			p.Chosen = time.Time{}
			x.Pieces[i] = p
		}
		k.Texts = append(k.Texts, x)
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(k)
	return b.Bytes(), err
}

func unpackTexts(body []byte) (seed uint64, texts []*text, err error) {
	var k kept
	if err := gob.NewDecoder(bytes.NewReader(body)).Decode(&k); err != nil {
		return 0, nil, err
	}
	for _, x := range k.Texts {
		for _, d := range x.Details {
			x.Result.Details = append(x.Result.Details, d.Detail)
		}
		texts = append(texts, &text{Result: &x.Result, pieces: x.Pieces})
	}
	return k.Seed, texts, nil
}
