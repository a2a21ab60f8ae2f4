package gguf

import (
	"fmt"
	"math"
	"slices"

	"github.com/foundling-lm/foundling/model/checkpoint"
)

// Tensors of factors that divide the frequencies of rotary positions.
const (
	ropeFreqs = "rope_freqs.weight"         // llama3
	ropeLong  = "rope_factors_long.weight"  // longrope
	ropeShort = "rope_factors_short.weight" // longrope
)

// importRope writes rope_scaling and partial_rotary_factor.
func importRope(md Metadata, c map[string]any) error {
	d, _ := c["head_dim"].(int)
	turned, ok, err := md.Int("rope.dimension_count")
	if err != nil {
		return err
	}
	if ok && turned != d && turned > 0 && d > 0 {
		c["partial_rotary_factor"] = float64(turned) / float64(d)
	}
	kind := md.Text("rope.scaling.type")
	s := map[string]any{"rope_type": kind}
	for _, k := range []Key{
		{GGUF: "rope.scaling.factor", HF: "factor", Float: true},
		{GGUF: "rope.scaling.original_context_length", HF: "original_max_position_embeddings"},
		{GGUF: "rope.scaling.attn_factor", HF: "attention_factor", Float: true},
		{GGUF: "rope.scaling.yarn_beta_fast", HF: "beta_fast", Float: true},
		{GGUF: "rope.scaling.yarn_beta_slow", HF: "beta_slow", Float: true},
	} {
		if err := k.read(md, s); err != nil {
			return err
		}
	}
	if _, ok := md.File.Tensor(ropeFreqs); ok {
		factors, err := factorsOf(md.File, ropeFreqs)
		if err != nil {
			return err
		}
		theta, _ := c["rope_theta"].(float64)
		c["rope_scaling"] = llama3Factors(factors, theta)
		return nil
	}
	if _, ok := md.File.Tensor(ropeLong); ok {
		kind, s["rope_type"] = "longrope", "longrope"
	}
	switch kind {
	case "", "none":
		if x, ok, err := md.Float("rope.scale_linear"); err != nil {
			return err
		} else if ok && x != 1 { // the older name
			c["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": x}
		}
		return nil
	case "linear":
		c["rope_scaling"] = map[string]any{"rope_type": "linear", "factor": s["factor"]}
		return nil
	case "yarn":
		if f, ok := s["attention_factor"].(float64); ok { // a multiple of the usual one
			factor, _ := s["factor"].(float64)
			if factor < 1 {
				return fmt.Errorf("metadata %q is missing or below 1: positions are not stretched by %g", md.arch+".rope.scaling.factor", factor)
			}
			s["attention_factor"] = f * (1 + 0.1*math.Log(factor))
		}
	case "longrope":
		for key, name := range map[string]string{"long_factor": ropeLong, "short_factor": ropeShort} {
			if s[key], err = factorsOf(md.File, name); err != nil {
				return err
			}
		}
		if o, ok := s["original_max_position_embeddings"]; ok {
			c["original_max_position_embeddings"] = o
		}
	default:
		return fmt.Errorf("metadata %q is %q: none, linear, yarn and longrope are supported", md.arch+".rope.scaling.type", kind)
	}
	c["rope_scaling"] = s
	return nil
}

// factorsOf reads a tensor of factors.
func factorsOf(f *checkpoint.File, name string) ([]float64, error) {
	t, ok := f.Tensor(name)
	if !ok || len(t.Shape) != 1 || t.Shape[0] > 1<<16 {
		return nil, fmt.Errorf("tensor %q is missing or no list of factors", name)
	}
	x := make([]float32, t.Len())
	if err := t.Float32s(x); err != nil {
		return nil, err
	}
	out := make([]float64, len(x))
	for i, v := range x {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("tensor %q: factor %d is %g: it must be positive", name, i, v)
		}
		out[i] = float64(v)
	}
	return out, nil
}

// llama3Factors is the rope_scaling that has the factors: the usual one of Llama
// 3.1 and 3.2 where it gives these numbers, else the numbers themselves.
func llama3Factors(factors []float64, theta float64) map[string]any {
	if len(factors) > 0 {
		factor := math.Round(slices.Max(factors)*1e4) / 1e4
		s := map[string]any{
			"rope_type": "llama3", "factor": factor, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192,
		}
		same := true
		for i, f := range llama3(theta, 2*len(factors), factor, 1, 4, 8192) {
			same = same && math.Abs(f-factors[i]) <= 1e-4*f
		}
		if same && factor > 1 {
			return s
		}
	}
	return map[string]any{"rope_type": "longrope", "short_factor": factors, "long_factor": factors, "attention_factor": 1.0}
}

// llama3 are the factors of d/2 frequencies (the rule of Llama 3.1).
func llama3(theta float64, d int, factor, low, high float64, original int) []float64 {
	out := make([]float64, d/2)
	for i := range out {
		turns := float64(original) * math.Pow(theta, -2*float64(i)/float64(d)) / (2 * math.Pi)
		keep := math.Min(1, math.Max(0, (turns-low)/(high-low)))
		out[i] = 1 / ((1-keep)/factor + keep)
	}
	return out
}

// ropeScaling is the scaling of a config.json in either spelling, nil for none.
func ropeScaling(c Values) (Values, string) {
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if s, ok := c[key].(map[string]any); ok {
			if full, ok := s["full_attention"].(map[string]any); ok {
				s = full
			}
			kind, _ := s["rope_type"].(string)
			if kind == "" {
				kind, _ = s["type"].(string)
			}
			switch {
			case kind == "su" || kind == "yarn" && s["short_factor"] != nil:
				kind = "longrope"
			case kind == "":
				kind = "default"
			}
			return s, kind
		}
	}
	return nil, "default"
}

// exportRope writes the metadata of rope_scaling; the factors are tensors, see
// ropeTensors.
func exportRope(c Values, out map[string]any) error {
	s, kind := ropeScaling(c)
	if theta := s.Float("rope_theta"); theta != 0 {
		out["rope.freq_base"] = float32(theta)
	}
	original := s.Int("original_max_position_embeddings")
	if original == 0 {
		original = c.Int("original_max_position_embeddings")
	}
	switch kind {
	case "default", "llama3":
	case "linear":
		out["rope.scaling.type"], out["rope.scaling.factor"] = "linear", float32(s.Float("factor"))
	case "yarn":
		if s["mscale"] != nil || s["mscale_all_dim"] != nil || s["truncate"] != nil {
			return fmt.Errorf("config.json: rope_scaling with mscale or truncate has no keys in GGUF")
		}
		out["rope.scaling.type"], out["rope.scaling.factor"] = "yarn", float32(s.Float("factor"))
		if original == 0 {
			original = c.Int("max_position_embeddings")
		}
		out["rope.scaling.original_context_length"] = uint32(original)
		if a := s.Float("attention_factor"); a != 0 {
			out["rope.scaling.attn_factor"] = float32(a / (1 + 0.1*math.Log(s.Float("factor"))))
		}
		for key, name := range map[string]string{"beta_fast": "rope.scaling.yarn_beta_fast", "beta_slow": "rope.scaling.yarn_beta_slow"} {
			if x := s.Float(key); x != 0 {
				out[name] = float32(x)
			}
		}
	case "longrope":
		if original == 0 {
			original = c.Int("max_position_embeddings")
		}
		out["rope.scaling.type"] = "longrope"
		out["rope.scaling.original_context_length"] = uint32(original)
		a := s.Float("attention_factor")
		stretch := float64(c.Int("max_position_embeddings")) / float64(original)
		switch {
		case a != 0:
		case stretch > 1:
			a = math.Sqrt(1 + math.Log(stretch)/math.Log(float64(original)))
		default:
			a = 1
		}
		out["rope.scaling.attn_factor"] = float32(a)
	default:
		return fmt.Errorf("config.json: rope_scaling of type %q has no place in GGUF: linear, llama3, yarn and longrope have", kind)
	}
	return nil
}

// ropeTensors are the factors of c as tensors.
func ropeTensors(c Values) []checkpoint.Source {
	s, kind := ropeScaling(c)
	list := func(name string, x []float64) checkpoint.Source {
		return checkpoint.Source{Name: name, Shape: []int{len(x)}, Read: func(dst []float32) error {
			for i := range x {
				dst[i] = float32(x[i])
			}
			return nil
		}}
	}
	switch kind {
	case "llama3":
		theta, original := c.Float("rope_theta"), s.Int("original_max_position_embeddings")
		if t := s.Float("rope_theta"); t != 0 {
			theta = t
		}
		if original == 0 {
			original = c.Int("max_position_embeddings")
		}
		return []checkpoint.Source{list(ropeFreqs, llama3(theta, c.HeadDim(), s.Float("factor"), s.Float("low_freq_factor"), s.Float("high_freq_factor"), original))}
	case "longrope":
		return []checkpoint.Source{list(ropeLong, floats(s["long_factor"])), list(ropeShort, floats(s["short_factor"]))}
	}
	return nil
}

func floats(list any) []float64 {
	var out []float64
	l, _ := list.([]any)
	for _, v := range l {
		x, _ := v.(float64)
		out = append(out, x)
	}
	return out
}
