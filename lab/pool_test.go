package lab

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestPoolRoundTrip(t *testing.T) {
	s := Synthetic{Problems: 3, Candidates: 4, Seed: 1}
	problems := s.Pool()
	AddVerifiers(problems, 1, 0.5, 1)
	h := PoolHeader{Source: "here", Candidates: 4, Problems: 3, Seed: 1, Settings: "some"}
	path := filepath.Join(t.TempDir(), "pool.jsonl")
	if err := WritePool(path, h, problems); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	gotHeader, got, err := ReadPool(bytes.NewReader(data))
	if err != nil || gotHeader == nil || *gotHeader != h || !reflect.DeepEqual(got, problems) {
		t.Errorf("got %+v, %v, %v", gotHeader, got, err)
	}
	if again := s.Pool(); reflect.DeepEqual(again, problems) || again[0].Candidates[0].Tokens != problems[0].Candidates[0].Tokens {
		t.Error("a pool is not a function of its seed alone")
	}
}

func TestReadPoolErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"id":"a"}`: "line 1 of the pool: field candidates is empty",
		"{\"candidates\":[{\"right\":true}]}\n\n{\"candidates\":[{\"tokens\":-1}]}": "line 3 of the pool: field tokens of candidate 0",
		`{"candidates":[{"right":"yes"}]}`:                                          "right",
		`{"candidates":[{"sum_logprob":0.5}]}`:                                      "at most 0",
		`{"candidates":[{}],"prompt_tokens":-3}`:                                    "prompt_tokens",
		`nonsense`:                                                                  "line 1",
	} {
		if _, _, err := ReadPool(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	for _, s := range []Synthetic{{}, {Problems: 1 << 20, Candidates: 1 << 20}, {Problems: 1, Candidates: 1, Alpha: -1}, {Problems: 1, Candidates: 1, Beta: 1e9}} {
		if s.Validate() == nil {
			t.Errorf("%+v is possible", s)
		}
	}
}

func FuzzReadPool(f *testing.F) {
	f.Add([]byte(`{"pool":{"source":"x"}}` + "\n" + `{"id":"1","candidates":[{"right":true,"answer":"4","tokens":3,"sum_logprob":-1.5,"scores":{"v":1}},{"tokens":2}]}`))
	f.Add([]byte(`{"candidates":[{"scores":{"a":1e308}},{"scores":{"a":-1e308}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, problems, err := ReadPool(bytes.NewReader(data))
		if err != nil || len(problems) == 0 || len(data) > 1<<12 {
			return
		}
		AddVerifiers(problems, 1, 0.5, 1)
		r, err := TestTime(t.Context(), problems, TestTimeOptions{Orders: 2, Draws: 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Page("fuzz").Render(&bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
	})
}
