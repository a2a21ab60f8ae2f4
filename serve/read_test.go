package serve_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/tensor/cpu"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// headed opens the talker with a head of random weights: a reward model, or a
// classifier of some labels.
func headed(t *testing.T, labels ...string) *foundling.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "headed")
	if err := os.CopyFS(dir, os.DirFS(talker.Bundle.Dir)); err != nil {
		t.Fatal(err)
	}
	b, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	z, err := bundle.Open(b, dir)
	if err != nil {
		t.Fatal(err)
	}
	z.Head = model.NewHead(b, z.Model, max(1, len(labels)))
	z.Head.Labels = labels
	z.Head.Init(b, 3)
	if err := z.Save(b, dtype.F32); err != nil {
		t.Fatal(err)
	}
	m, err := foundling.Open(dir, foundling.Options{Threads: 1, CacheBytes: 16 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// judges serves a reward model and a classifier beside the others.
func judges(t *testing.T) (h *httptest.Server, reward, class *foundling.Model) {
	reward, class = headed(t), headed(t, "yes", "no", "maybe")
	return start(t, func(o *serve.Options) {
		o.Models = append(o.Models, serve.Model{Name: "reward", Model: reward}, serve.Model{Name: "class", Model: class})
	}), reward, class
}

func floats(v any, path ...any) (out []float64) {
	l, _ := at(v, path...).([]any)
	for _, x := range l {
		f, _ := x.(float64)
		out = append(out, f)
	}
	return out
}

// Vectors are the library's, of length 1 unless that is not wanted.
func TestEmbeddings(t *testing.T) {
	h := start(t, nil)
	texts := []string{"hello", "a longer text"}
	for _, pool := range []foundling.Pooling{foundling.PoolMean, foundling.PoolLast} {
		want, err := talker.Embed(t.Context(), texts, pool)
		if err != nil {
			t.Fatal(err)
		}
		_, plain := post(t, h.URL+"/v1/embeddings", fmt.Sprintf(`{"input":["hello","a longer text"],"pooling":%q,"normalize":false}`, pool))
		r, unit := post(t, h.URL+"/v1/embeddings", fmt.Sprintf(`{"input":["hello","a longer text"],"pooling":%q,"user":"u","dimensions":32}`, pool))
		_, packed := post(t, h.URL+"/v1/embeddings", fmt.Sprintf(`{"input":["hello","a longer text"],"pooling":%q,"encoding_format":"base64"}`, pool))
		if r.Header.Get("Foundling-Ignored") != "user" {
			t.Errorf("ignored: %v", r.Header)
		}
		for i := range texts {
			got, short := floats(decoded(t, plain), "data", i, "embedding"), floats(decoded(t, unit), "data", i, "embedding")
			bytes, err := base64.StdEncoding.DecodeString(at(decoded(t, packed), "data", i, "embedding").(string))
			if err != nil || len(bytes) != 4*len(want[i]) {
				t.Fatalf("%d bytes, %v", len(bytes), err)
			}
			length := 0.0
			for k, x := range want[i] {
				length += short[k] * short[k]
				if float32(got[k]) != x || math.Float32frombits(binary.LittleEndian.Uint32(bytes[4*k:])) != float32(short[k]) {
					t.Fatalf("%s, text %d: number %d is %v, want %v", pool, i, k, got[k], x)
				}
			}
			if math.Abs(length-1) > 1e-5 {
				t.Errorf("%s, text %d: length %v", pool, i, length)
			}
		}
	}
	// One text, and its ids.
	ids, _ := json.Marshal(must(talker.Bundle.TextPrompt("hello")))
	_, a := post(t, h.URL+"/v1/embeddings", `{"input":"hello"}`)
	_, b := post(t, h.URL+"/v1/embeddings", fmt.Sprintf(`{"input":%s}`, ids))
	if string(a) != string(b) || count(decoded(t, a), "data") != 1 || at(decoded(t, a), "usage", "total_tokens") != 6.0 {
		t.Errorf("by text %s\nby ids %s", a, b)
	}
}

func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// Scores of language models are their log-probabilities.
func TestScore(t *testing.T) {
	h := start(t, nil)
	want := must(base.Score(t.Context(), "func main"))
	_, a := post(t, h.URL+"/v1/score", `{"model":"base","input":["func main",{"prompt":"func","completion":" main"}],"top":3}`)
	v := decoded(t, a)
	all := floats(v, "data", 0, "logprobs")
	if len(all) != len(want.LogProbs) || len(all) != count(v, "data", 0, "token_ids") {
		t.Fatalf("%d log-probabilities, want %d: %s", len(all), len(want.LogProbs), a)
	}
	sum := 0.0
	for i, x := range want.LogProbs {
		if all[i] != x || at(v, "data", 0, "token_ids", i) != float64(want.IDs[i]) {
			t.Errorf("token %d: %v, want %v", i, all[i], x)
		}
		sum += x
	}
	if !near(at(v, "data", 0, "sum"), sum) || count(v, "data", 0, "top") != 3 {
		t.Errorf("sum %v, want %v; %v", at(v, "data", 0, "sum"), sum, at(v, "data", 0, "top"))
	}
	part := floats(v, "data", 1, "logprobs")
	if !slices.Equal(part, all[len(all)-5:]) {
		t.Errorf("behind the prompt %v, in the text %v", part, all)
	}
	// An answer, with the probabilities that it was written with.
	_, a = post(t, h.URL+"/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"seed":4,"max_tokens":5,"regex":"[a-z]{4}","logprobs":true}`)
	text := at(decoded(t, a), "choices", 0, "message", "content").(string)
	_, b := post(t, h.URL+"/v1/score", fmt.Sprintf(`{"input":{"prompt":[{"role":"user","content":"hi"}],"completion":%q}}`, text))
	got := floats(decoded(t, b), "data", 0, "logprobs")
	if len(got) != 4 {
		t.Fatalf("%q: %s", text, b)
	}
	for i, x := range got {
		if want := at(decoded(t, a), "choices", 0, "logprobs", "content", i, "logprob").(float64); math.Abs(x-want) > 1e-5 {
			t.Errorf("token %d: %v when scored, %v when written", i, x, want)
		}
	}
}

// Rewards are those that training knows, and so is the order of answers.
func TestReward(t *testing.T) {
	h, m, _ := judges(t)
	w := must(posttrain.NewWriter(m.Bundle))
	long := strings.Repeat("a long answer ", 60)
	var texts [][]int32
	for _, answer := range []string{"yes", "no, never", long} {
		texts = append(texts, must(w.AnswerText(dataset.Text{Plain: "is it so?"}, dataset.Text{Plain: answer}, m.Bundle.Model.Dims().Context)))
	}
	texts = append(texts, w.ClassText(dataset.Text{Plain: "a text"}))
	want := must(m.Engine.HeadScores(t.Context(), m.Bundle.Head, texts, nil))
	_, a := post(t, h.URL+"/v1/score", fmt.Sprintf(`{"model":"reward","input":[{"prompt":"is it so?","completion":"yes"},{"prompt":[{"role":"user","content":"is it so?"}],"completion":"no, never"},{"prompt":"is it so?","completion":%q},"a text"]}`, long))
	for i, x := range want {
		if got := at(decoded(t, a), "data", i, "score"); got != x[0][0] {
			t.Errorf("answer %d has %v, want %v", i, got, x[0][0])
		}
	}
	order := []int{0, 1}
	if want[1][0][0] > want[0][0][0] {
		order = []int{1, 0}
	}
	_, a = post(t, h.URL+"/v1/rerank", `{"model":"reward","query":"is it so?","documents":["yes","no, never"]}`)
	for i, k := range order {
		r := at(decoded(t, a), "results", i)
		if at(r, "index") != float64(k) || at(r, "relevance_score") != want[k][0][0] || at(r, "document", "text") != []string{"yes", "no, never"}[k] {
			t.Errorf("place %d: %v, want document %d with %v", i, r, k, want[k][0][0])
		}
	}
}

func TestRerank(t *testing.T) {
	h := start(t, nil)
	const body = `{"model":"base","query":"a cat","documents":["cats and dogs","zzzz","a cat"],"method":%q,"top_n":2,"return_documents":false}`
	for _, method := range []string{"likelihood", "embedding"} {
		_, a := post(t, h.URL+"/v1/rerank", fmt.Sprintf(body, method))
		v := decoded(t, a)
		if count(v, "results") != 2 || at(v, "results", 0, "document") != nil || at(v, "method") != method {
			t.Fatalf("%s: %s", method, a)
		}
		if at(v, "results", 0, "relevance_score").(float64) < at(v, "results", 1, "relevance_score").(float64) {
			t.Errorf("%s: the worse is first: %s", method, a)
		}
	}
	_, a := post(t, h.URL+"/v1/rerank", fmt.Sprintf(body, "embedding"))
	if v := decoded(t, a); at(v, "results", 0, "index") != 2.0 || math.Abs(at(v, "results", 0, "relevance_score").(float64)-1) > 1e-6 {
		t.Errorf("the same text is not the nearest: %s", a)
	}
	_, a = post(t, h.URL+"/v1/rerank", `{"model":"base","query":"a cat","documents":["x"]}`)
	_, b := post(t, h.URL+"/v1/score", `{"model":"base","input":{"prompt":"x\n\n","completion":"a cat"}}`)
	if got, want := at(decoded(t, a), "results", 0, "relevance_score"), at(decoded(t, b), "data", 0, "sum").(float64)/5; !near(got, want) {
		t.Errorf("likelihood %v, scored %v", got, want)
	}
}

func TestClassify(t *testing.T) {
	h, _, m := judges(t)
	ids := must(m.Bundle.TextPrompt("fine"))
	want := model.Probabilities(must(m.Engine.HeadScores(t.Context(), m.Bundle.Head, [][]int32{ids}, nil))[0][0])
	_, a := post(t, h.URL+"/v1/classify", `{"model":"class","input":["other","fine"]}`)
	v := decoded(t, a)
	if got := floats(v, "data", 1, "probs"); !slices.Equal(got, want) {
		t.Errorf("probabilities %v, want %v", got, want)
	}
	if info := decoded(t, body(get(t, h.URL+"/v1/models/class"))); at(info, "kind") != "classifier" || at(info, "chat") != false {
		t.Errorf("/v1/models says %v", info)
	}
	label := m.Bundle.Head.Labels[slices.Index(want, slices.Max(want))]
	if at(v, "data", 1, "label") != label || at(v, "data", 0, "num_classes") != 3.0 || fmt.Sprint(at(v, "labels")) != "[yes no maybe]" {
		t.Errorf("%s, want the label %s", a, label)
	}
}

// What cannot be read is refused with its place.
func TestReadErrors(t *testing.T) {
	h, _, _ := judges(t)
	long := strings.Repeat("long ", 200)
	for _, c := range []struct {
		path, body  string
		status      int
		param, code string
	}{
		{"embeddings", `{}`, 400, "input", "invalid_value"},
		{"embeddings", `{"input":[]}`, 400, "input", "invalid_value"},
		{"embeddings", `{"input":5}`, 400, "input", "invalid_type"},
		{"embeddings", `{"input":"a","colour":1}`, 400, "colour", "unknown_parameter"},
		{"embeddings", `{"input":["a",""]}`, 400, "input[1]", "invalid_value"},
		{"embeddings", `{"input":["a",[1,-1]]}`, 400, "input[1]", "invalid_value"},
		{"embeddings", `{"input":["a",{"prompt":"a","completion":"b"}]}`, 400, "input[1]", "invalid_value"},
		{"embeddings", `{"input":["a","` + long + `"]}`, 400, "input[1]", "context_length_exceeded"},
		{"embeddings", `{"input":"a","dimensions":8}`, 400, "dimensions", "invalid_value"},
		{"embeddings", `{"input":"a","encoding_format":"int8"}`, 400, "encoding_format", "invalid_value"},
		{"embeddings", `{"input":"a","pooling":"max"}`, 400, "pooling", "invalid_value"},
		{"embeddings", `{"input":[` + strings.Repeat(`"a",`, 2048) + `"a"]}`, 400, "input", "invalid_value"},
		{"score", `{"input":{"prompt":"a"}}`, 400, "input.completion", "invalid_value"},
		{"score", `{"input":[{"completion":"a"}]}`, 400, "input[0].prompt", "invalid_value"},
		{"score", `{"input":[{"prompt":[],"completion":"a"}]}`, 400, "input[0].prompt", "invalid_value"},
		{"score", `{"input":[{"prompt":"a","completion":""}]}`, 400, "input[0].completion", "invalid_value"},
		{"score", `{"input":[{"prompt":"a","completion":"b","x":1}]}`, 400, "input[0].x", "unknown_parameter"},
		{"score", `{"input":"a","top":-1}`, 400, "top", "invalid_value"},
		{"score", `{"model":"reward","input":"a","top":1}`, 400, "top", "invalid_value"},
		{"score", `{"model":"class","input":"a"}`, 400, "model", "model_not_supported"},
		{"classify", `{"input":"a"}`, 400, "model", "model_not_supported"},
		{"classify", `{"model":"reward","input":"a"}`, 400, "model", "model_not_supported"},
		{"classify", `{"model":"class"}`, 400, "input", "invalid_value"},
		{"rerank", `{"query":"a"}`, 400, "documents", "invalid_value"},
		{"rerank", `{"documents":["a"]}`, 400, "query", "invalid_value"},
		{"rerank", `{"query":"a","documents":["a",""]}`, 400, "documents[1]", "invalid_value"},
		{"rerank", `{"query":"a","documents":["a"],"top_n":0}`, 400, "top_n", "invalid_value"},
		{"rerank", `{"query":"a","documents":["a"],"method":"reward"}`, 400, "method", "invalid_value"},
		{"rerank", `{"model":"class","query":"a","documents":["a"]}`, 400, "model", "model_not_supported"},
		{"chat/completions", `{"model":"reward","messages":[{"role":"user","content":"hi"}]}`, 400, "model", "model_not_supported"},
		{"completions", `{"model":"class","prompt":"hi"}`, 400, "model", "model_not_supported"},
		{"explain", `{"model":"class","prompt":"hi"}`, 400, "model", "model_not_supported"},
	} {
		r, a := post(t, h.URL+"/v1/"+c.path, c.body)
		v := decoded(t, a)
		param, _ := at(v, "error", "param").(string)
		if r.StatusCode != c.status || param != c.param || at(v, "error", "code") != c.code {
			t.Errorf("%s %.80s: %d %s", c.path, c.body, r.StatusCode, a)
		}
	}
}

func body(_ *http.Response, b []byte) []byte { return b }
