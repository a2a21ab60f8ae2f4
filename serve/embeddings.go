package serve

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"

	"github.com/foundling-lm/foundling"
)

// embeddingsRequest is the body of /v1/embeddings. Those below the line are not
// OpenAI's.
type embeddingsRequest struct {
	Model          string `json:"model"`
	Input          inputs `json:"input"`
	EncodingFormat string `json:"encoding_format"` // float or base64; "": float
	Dimensions     *int   `json:"dimensions"`      // the model's width is the only value

	Pooling   foundling.Pooling `json:"pooling"`   // mean or last; "": mean
	Normalize *bool             `json:"normalize"` // to length 1; nil: true
	ignored
}

func (q *embeddingsRequest) check(m *served) error {
	switch width := m.Bundle.Model.Dims().Width; {
	case q.Input == nil:
		return wrong("input", "it is missing")
	case q.EncodingFormat != "" && q.EncodingFormat != "float" && q.EncodingFormat != "base64":
		return wrong("encoding_format", fmt.Sprintf("%q is neither float nor base64", q.EncodingFormat))
	case q.Dimensions != nil && *q.Dimensions != width:
		return wrong("dimensions", fmt.Sprintf("%d, the vectors have %d: a part of them means nothing, since the model was not trained for that", *q.Dimensions, width))
	case q.Pooling == "":
		q.Pooling = foundling.PoolMean
	case q.Pooling != foundling.PoolMean && q.Pooling != foundling.PoolLast:
		return wrong("pooling", fmt.Sprintf("%q is neither %s nor %s", q.Pooling, foundling.PoolMean, foundling.PoolLast))
	}
	return nil
}

// embedding is the vector of a text.
type embedding struct {
	Object string `json:"object"`
	Index  int    `json:"index"`
	Vector any    `json:"embedding"` // numbers, or base64 of float32, little-endian
}

type embeddings struct {
	Object string      `json:"object"`
	Data   []embedding `json:"data"`
	Model  string      `json:"model"`
	Usage  readUsage   `json:"usage"`
}

// embed is POST /v1/embeddings: texts as vectors.
func (s *Server) embed(w *reply, r *http.Request) error {
	var q embeddingsRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	m, err := s.model(q.Model)
	if err != nil {
		return err
	}
	if err := q.check(m); err != nil {
		return err
	}
	texts, err := q.Input.plain(m)
	if err != nil {
		return err
	}
	leave, err := s.reading(w, r, m, &q.ignored, texts)
	if err != nil {
		return err
	}
	defer leave()
	vectors, err := m.Engine.Embed(r.Context(), texts, q.Pooling)
	if err != nil {
		return s.failed(r.Context(), err, false)
	}
	out := embeddings{"list", make([]embedding, len(vectors)), m.Name, w.readUsage()}
	for i, v := range vectors {
		if q.Normalize == nil || *q.Normalize {
			unit(v)
		}
		for _, x := range v {
			if !finite(float64(x)) {
				return damaged()
			}
		}
		out.Data[i] = embedding{"embedding", i, v}
		if q.EncodingFormat == "base64" {
			b, _ := binary.Append(nil, binary.LittleEndian, v)
			out.Data[i].Vector = base64.StdEncoding.EncodeToString(b)
		}
	}
	s.read(w, out)
	return nil
}

// unit makes the length of a vector 1. One of zeros stays.
func unit(v []float32) {
	if n := math.Sqrt(dot(v, v)); n > 0 {
		for i := range v {
			v[i] = float32(float64(v[i]) / n)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}

func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
