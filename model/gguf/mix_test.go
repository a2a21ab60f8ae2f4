package gguf

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model/checkpoint"
)

// TestMixAsLlamaQuantize compares the formats of a file that llama-quantize made,
// whose rows are too short for blocks of 256.
func TestMixAsLlamaQuantize(t *testing.T) {
	f, err := checkpoint.Open(filepath.Join(golden.Data(t, "models", "stories260K"), "stories260K-Q4_K_M.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var ts []checkpoint.Source
	for _, name := range f.Names() {
		x, _ := f.Tensor(name)
		ts = append(ts, checkpoint.Source{Name: name, Shape: x.Shape})
	}
	md := map[string]any{}
	typed, err := Quantize("q4_k_m", md, ts)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range typed {
		x, _ := f.Tensor(s.Name)
		if got := strings.ToUpper(s.DType.String()); got != x.Stored {
			t.Errorf("%s of %v: %s, llama-quantize chose %s", s.Name, s.Shape, got, x.Stored)
		}
	}
	if md[FileTypeKey] != f.GGUF()[FileTypeKey] || md[QuantizationKey] != f.GGUF()[QuantizationKey] {
		t.Errorf("metadata %v, llama-quantize wrote %v and %v", md, f.GGUF()[FileTypeKey], f.GGUF()[QuantizationKey])
	}
}

// TestMixes has the rules of llama.cpp's src/llama-quant.cpp for a model of 16
// layers of width 256.
func TestMixes(t *testing.T) {
	choose := func(mix string, name string, experts uint32, tied bool, shape ...int) string {
		ts := []checkpoint.Source{{Name: "blk.15.attn_norm.weight", Shape: []int{256}}, {Name: name, Shape: shape}}
		if !tied {
			ts = append(ts, checkpoint.Source{Name: "output.weight", Shape: []int{64, 256}})
		}
		out, err := Quantize(mix, map[string]any{ArchitectureKey: "llama", "llama.expert_count": experts}, ts)
		if err != nil {
			t.Fatal(err)
		}
		return out[1].DType.String()
	}
	for _, c := range []struct {
		mix, name string
		experts   uint32
		tied      bool
		want      string
	}{
		{"q4_k_m", "token_embd.weight", 0, false, "q4_k"},
		{"q4_k_m", "token_embd.weight", 0, true, "q6_k"},
		{"q8_0", "token_embd.weight", 0, true, "q8_0"},
		{"q4_0", "token_embd.weight", 0, true, "q6_k"},
		{"q4_k_m", "blk.0.attn_v.weight", 0, false, "q6_k"},
		{"q4_k_m", "blk.2.attn_v.weight", 0, false, "q4_k"},
		{"q4_k_m", "blk.4.attn_v.weight", 0, false, "q6_k"},
		{"q4_k_m", "blk.14.ffn_down.weight", 0, false, "q6_k"},
		{"q4_k_m", "blk.13.ffn_down.weight", 0, false, "q6_k"},
		{"q4_k_m", "blk.12.ffn_down.weight", 0, false, "q4_k"},
		{"q5_k_m", "blk.1.ffn_down.weight", 0, false, "q6_k"},
		{"q5_k_m", "blk.2.ffn_up.weight", 0, false, "q5_k"},
		{"q4_k", "blk.0.attn_v.weight", 0, false, "q4_k"},
		{"q4_k_m", "blk.3.attn_qkv.weight", 0, false, "q5_k"},
		{"q5_k_m", "blk.3.attn_qkv.weight", 0, false, "q6_k"},
		{"q4_k_m", "blk.3.attn_k.weight", 8, false, "q8_0"},
		{"q4_k_m", "blk.3.attn_output.weight", 8, false, "q5_k"},
		{"q4_k_m", "blk.0.ffn_down_exps.weight", 8, false, "q6_k"},
		{"q4_k_m", "blk.0.ffn_gate_inp.weight", 8, false, "f32"},
		{"q4_k_m", "blk.0.attn_q_norm.weight", 0, false, "f32"},
		{"q4_k_m", "position_embd.weight", 0, false, "f32"},
		{"f16", "blk.0.attn_q.weight", 0, false, "f16"},
		{"f32", "blk.0.attn_q.weight", 0, false, "f32"},
	} {
		if got := choose(c.mix, c.name, c.experts, c.tied, 64, 256); got != c.want {
			t.Errorf("%s: %s (%d experts, tied %v) is %s, want %s", c.mix, c.name, c.experts, c.tied, got, c.want)
		}
	}
	for cols, want := range map[int]string{96: "q5_0", 100: "f16", 512: "q4_k"} {
		if got := choose("q4_k_m", "blk.2.ffn_up.weight", 0, false, 64, cols); got != want {
			t.Errorf("rows of %d values: %s, want %s", cols, got, want)
		}
	}
	if _, err := Quantize("q7", nil, nil); err == nil || !strings.Contains(err.Error(), "q4_k_m") {
		t.Errorf("unknown type: %v", err)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		pattern, name, suffix string
		numbers               []int
		ok                    bool
	}{
		{"blk.*.attn_q", "blk.12.attn_q.weight", ".weight", []int{12}, true},
		{"blk.*.attn_q", "blk.12.attn_q.bias", ".bias", []int{12}, true},
		{"blk.*.attn_q", "blk.012.attn_q.bias", "", nil, false},
		{"blk.*.attn_q", "blk.-1.attn_q.bias", "", nil, false},
		{"blk.*.attn_q", "blk.1.attn_k.weight", "", nil, false},
		{"blk.*.attn_q", "blk.1.attn_q", "", nil, false},
		{"a.*.experts.#.w1", "a.3.experts.7.w1.weight", ".weight", []int{3, 7}, true},
	} {
		suffix, numbers, ok := match(c.pattern, c.name)
		if ok != c.ok || suffix != c.suffix || fmt.Sprint(numbers) != fmt.Sprint(c.numbers) {
			t.Errorf("%s in %s: %q %v %v", c.name, c.pattern, suffix, numbers, ok)
		}
		if ok && fill(c.pattern, suffix, numbers...) != c.name {
			t.Errorf("%s came back as %s", c.name, fill(c.pattern, suffix, numbers...))
		}
	}
}

// TestInterleaved: the rows of a head are halves here and neighbours there.
func TestInterleaved(t *testing.T) {
	want := []int{0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11} // two heads of 6
	for i := range want {
		if got := interleaved(i, 6); got != want[i] {
			t.Errorf("row %d lies at %d, want %d", i, got, want[i])
		}
	}
}

func TestLlama3Factors(t *testing.T) {
	factors := llama3(500000, 64, 32, 1, 4, 8192)
	s := llama3Factors(factors, 500000)
	if s["rope_type"] != "llama3" || s["factor"] != 32.0 {
		t.Errorf("the factors of Llama 3.2 became %v", s)
	}
	factors[3] *= 1.5
	if s := llama3Factors(factors, 500000); s["rope_type"] != "longrope" || fmt.Sprint(s["short_factor"]) != fmt.Sprint(factors) {
		t.Errorf("other factors became %v", s)
	}
}
