package serve

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/text/chat"
)

// rerankRequest is the body of /v1/rerank.
type rerankRequest struct {
	Model     string   `json:"model"`
	Query     string   `json:"query"`
	Documents []string `json:"documents"`
	TopN      *int     `json:"top_n"`            // the best are answered; nil: all
	Return    *bool    `json:"return_documents"` // with their text; nil: true
	Method    string   `json:"method"`           // "": reward of a reward model, likelihood of another
	ignored
}

// The methods.
const (
	rerankReward     = "reward"     // the score of the document as an answer to the query
	rerankLikelihood = "likelihood" // the mean log-probability of the query's tokens behind the document (Sachan et al. 2022, arXiv 2204.07496)
	rerankEmbedding  = "embedding"  // the cosine of the vectors of query and document
)

// reranked is a document and how well it fits the query; what the number is depends on
// the method.
type reranked struct {
	Index    int             `json:"index"`
	Score    float64         `json:"relevance_score"`
	Document *rerankDocument `json:"document,omitempty"`
}

type rerankDocument struct {
	Text string `json:"text"`
}

type reranking struct {
	ID      string     `json:"id"`
	Model   string     `json:"model"`
	Method  string     `json:"method"`
	Results []reranked `json:"results"` // the best first
	Usage   readUsage  `json:"usage"`
}

// check fills in the method.
func (q *rerankRequest) check(m *served) error {
	methods := []string{rerankLikelihood, rerankEmbedding}
	if m.Bundle.Head != nil {
		methods = []string{rerankReward, rerankEmbedding}
	}
	if q.Method == "" {
		q.Method = methods[0]
	}
	switch {
	case m.classifies():
		return &Error{Message: fmt.Sprintf("the model %q is a classifier: POST /v1/classify is for it", m.Name), Param: "model", Code: "model_not_supported"}
	case q.Query == "":
		return wrong("query", "it is missing")
	case len(q.Documents) == 0:
		return wrong("documents", "there is none")
	case len(q.Documents) > maxInputs:
		return wrong("documents", fmt.Sprintf("%d of them, a request may have %d", len(q.Documents), maxInputs))
	case slices.Contains(q.Documents, ""):
		return wrong(fmt.Sprintf("documents[%d]", slices.Index(q.Documents, "")), "the text is empty")
	case q.TopN != nil && *q.TopN < 1:
		return wrong("top_n", "it must be 1 or more")
	case !slices.Contains(methods, q.Method):
		return wrong("method", fmt.Sprintf("%q is none of %s of the model %q", q.Method, commas(methods), m.Name))
	}
	return nil
}

// rerank is POST /v1/rerank: documents in the order of how well they fit a query.
func (s *Server) rerank(w *reply, r *http.Request) error {
	var q rerankRequest
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
	texts, from, err := q.texts(m)
	if err != nil {
		return err
	}
	leave, err := s.reading(w, r, m, &q.ignored, texts)
	if err != nil {
		return err
	}
	defer leave()
	fits, err := s.fits(r.Context(), m, q.Method, texts, from)
	if err != nil {
		return err
	}
	out := reranking{ID: "rerank-" + nonce(), Model: m.Name, Method: q.Method, Usage: w.readUsage()}
	for i, x := range fits {
		one := reranked{Index: i, Score: x}
		if q.Return == nil || *q.Return {
			one.Document = &rerankDocument{q.Documents[i]}
		}
		out.Results = append(out.Results, one)
	}
	slices.SortStableFunc(out.Results, func(a, b reranked) int { return cmp.Compare(b.Score, a.Score) })
	if q.TopN != nil {
		out.Results = out.Results[:min(*q.TopN, len(out.Results))]
	}
	s.read(w, out)
	return nil
}

// texts is what the model reads, one text for each document; for the method embedding
// the query is a last one. From is where the query begins in each, for the method
// likelihood.
func (q *rerankRequest) texts(m *served) (texts [][]int32, from []int, err error) {
	encode := func(field, text string) ([]int32, error) {
		ids, err := m.Bundle.TextPrompt(text)
		if err != nil {
			return nil, wrong(field, err.Error())
		}
		return ids, m.readable(field, ids)
	}
	asked := []chat.Message{{Role: chat.RoleUser, Content: q.Query}}
	for i, document := range q.Documents {
		var ids []int32
		field := fmt.Sprintf("documents[%d]", i)
		switch q.Method {
		case rerankReward:
			ids, err = m.judged(field, asked, document)
		case rerankEmbedding:
			ids, err = encode(field, document)
		default:
			if ids, err = encode(field, document+"\n\n"); err == nil {
				from = append(from, len(ids))
				ids = m.Bundle.Tokenizer.EncodeAfter(slices.Clone(ids), q.Query)
				err = m.readable(field, ids)
			}
		}
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, ids)
	}
	if q.Method == rerankEmbedding {
		ids, err := encode("query", q.Query)
		if err != nil {
			return nil, nil, err
		}
		texts = append(texts, ids)
	}
	return texts, from, nil
}

// fits is how well each document fits.
func (s *Server) fits(ctx context.Context, m *served, method string, texts [][]int32, from []int) (out []float64, err error) {
	switch method {
	case rerankReward:
		rewards, err := s.heads(ctx, m, texts)
		for _, x := range rewards {
			out = append(out, x[0])
		}
		return out, err
	case rerankEmbedding:
		vectors, err := m.Engine.Embed(ctx, texts, foundling.PoolMean)
		if err != nil {
			return nil, s.failed(ctx, err, false)
		}
		query := vectors[len(vectors)-1]
		for _, v := range vectors[:len(vectors)-1] {
			x := dot(v, query) / math.Sqrt(dot(v, v)*dot(query, query))
			if !finite(x) {
				return nil, damaged()
			}
			out = append(out, x)
		}
		return out, nil
	}
	all, err := s.logProbs(ctx, m, texts, 0)
	if err != nil {
		return nil, err
	}
	for i, x := range all {
		sum := 0.0
		for _, p := range x.LogProbs[from[i]-1:] {
			sum += p
		}
		out = append(out, sum/float64(len(texts[i])-from[i]))
	}
	return out, nil
}
