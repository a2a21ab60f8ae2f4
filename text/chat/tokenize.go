package chat

import "fmt"

// Encoder is the part of a tokenizer that this package needs.
type Encoder interface {
	// EncodeAppend appends the ids of s, in which no special token is parsed.
	EncodeAppend(dst []int32, s string) []int32
	// SpecialID returns the id of a special token.
	SpecialID(content string) (int32, bool)
}

// Tokenize returns the ids of rendered segments and, of equal length, whether
// each id is trained on (is a target of the loss). The first id never is.
func Tokenize(enc Encoder, segments []Segment) (ids []int32, train []bool, err error) {
	for _, s := range segments {
		if s.Special {
			id, ok := enc.SpecialID(s.Text)
			if !ok {
				return nil, nil, fmt.Errorf("chat: the tokenizer has no special token %q: train it with chat.SpecialTokens", s.Text)
			}
			ids = append(ids, id)
		} else {
			ids = enc.EncodeAppend(ids, s.Text)
		}
		for len(train) < len(ids) {
			train = append(train, s.Train)
		}
	}
	return ids, train, nil
}
