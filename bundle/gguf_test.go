package bundle_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/internal/golden"
)

// TestStoriesGGUF runs a real model in every number format, dequantised, against
// an independent float64 implementation that read the same files.
func TestStoriesGGUF(t *testing.T) {
	data, err := os.ReadFile(golden.Data(t, "models", "stories260K", "reference_stories260K.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Files map[string]struct {
			Prompts []struct {
				Prompt   string
				IDs      []int32    `json:"ids"`
				LogProbs []*float64 `json:"prompt_token_logprobs"`
				Greedy   []int32    `json:"greedy_ids"`
			}
		}
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	b := backend(t, "")
	for file, tolerance := range map[string]float64{
		"stories260K-f32.gguf": 1e-4, "stories260K-F16.gguf": 1e-3, "stories260K-Q8_0.gguf": 2e-3, "stories260K-Q4_0.gguf": 2e-3, "stories260K-Q4_K_M.gguf": 2e-3,
	} {
		t.Run(file, func(t *testing.T) {
			path := golden.Data(t, "models", "stories260K", file)
			z, err := bundle.Open(b, path)
			if err != nil {
				t.Fatal(err)
			}
			if z.Tokenizer == nil || z.Generation.BOS == nil || *z.Generation.BOS != 1 || !slices.Equal(z.Generation.EOS, []int32{2}) || z.Generation.Pad != nil {
				t.Fatalf("opened %+v", z)
			}
			logits, err := os.ReadFile(path + ".last_logits.f32")
			if err != nil {
				t.Fatal(err)
			}
			e := generate.New(b, z.Model, nil)
			defer e.Close()
			prompts := ref.Files[file].Prompts
			if len(prompts) == 0 {
				t.Fatal("the reference has no prompts for this file")
			}
			for i, p := range prompts {
				if ids, err := z.TextPrompt(p.Prompt); err != nil || p.Prompt != "" && !slices.Equal(ids, p.IDs) {
					t.Errorf("%q became %v, want %v (%v)", p.Prompt, ids, p.IDs, err)
				}
				s, err := e.Score(p.IDs, z.Model.Dims().Vocab)
				if err != nil {
					t.Fatal(err)
				}
				for k, want := range p.LogProbs {
					if want != nil && math.Abs(s.LogProbs[k-1]-*want) > tolerance {
						t.Errorf("prompt %d, token %d: log-probability %.6f, want %.6f", i, k, s.LogProbs[k-1], *want)
					}
				}
				want := logProbs(logits[i*4*512:])
				for _, top := range s.Top {
					if math.Abs(top.LogProb-want[top.ID]) > max(tolerance, 1e-3) {
						t.Errorf("prompt %d, candidate %d: log-probability %.6f, want %.6f", i, top.ID, top.LogProb, want[top.ID])
					}
				}
				r, err := e.Generate(context.Background(), p.IDs, generate.Options{MaxTokens: len(p.Greedy)}, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(r.IDs, p.Greedy) {
					t.Errorf("prompt %d: greedy %v, want %v", i, r.IDs, p.Greedy)
				}
			}
		})
	}
}

// logProbs is the log-softmax of 512 logits of a file.
func logProbs(b []byte) []float64 {
	out, sum := make([]float64, 512), 0.0
	for i := range out {
		out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		sum += math.Exp(out[i])
	}
	for i := range out {
		out[i] -= math.Log(sum)
	}
	return out
}

func TestNotGGUF(t *testing.T) {
	b := backend(t, "")
	z := save(t, b, "llama")
	if _, err := bundle.Open(b, z.Dir+"/model.safetensors"); err == nil || !strings.Contains(err.Error(), "weights alone") {
		t.Errorf("got %v", err)
	}
}
