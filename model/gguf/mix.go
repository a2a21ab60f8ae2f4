package gguf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// mix is a choice of formats for the tensors of a model.
type mix struct {
	main     dtype.Type
	medium   bool   // more bits for the tensors that matter most
	fileType uint32 // general.file_type
}

// mixes are those of llama.cpp by name, with its numbers of file types.
var mixes = map[string]mix{
	"f32": {dtype.F32, false, 0}, "f16": {dtype.F16, false, 1}, "bf16": {dtype.BF16, false, 32},
	"q8_0": {dtype.Q8_0, false, 7}, "q4_0": {dtype.Q4_0, false, 2}, "q4_1": {dtype.Q4_1, false, 3},
	"q5_0": {dtype.Q5_0, false, 8}, "q5_1": {dtype.Q5_1, false, 9},
	"q4_k": {dtype.Q4_K, false, 14}, "q5_k": {dtype.Q5_K, false, 16}, "q6_k": {dtype.Q6_K, false, 18},
	"q4_k_m": {dtype.Q4_K, true, 15}, "q5_k_m": {dtype.Q5_K, true, 17},
	"iq4_nl": {dtype.IQ4_NL, false, 25}, "iq4_xs": {dtype.IQ4_XS, false, 30},
}

// Types are the names that Quantize takes.
func Types() []string {
	var out []string
	for name := range mixes {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// fallback is the format for rows that are no whole blocks of another.
var fallback = map[dtype.Type]dtype.Type{
	dtype.Q2_K: dtype.IQ4_NL, dtype.Q3_K: dtype.IQ4_NL, dtype.IQ4_XS: dtype.IQ4_NL,
	dtype.Q4_K: dtype.Q5_0, dtype.Q5_K: dtype.Q5_1, dtype.Q6_K: dtype.Q8_0,
}

// Quantize chooses the format of each tensor of a GGUF file and adds to md what
// the file says of it. The rules are those of llama-quantize without an
// importance matrix:
//
//   - lists of numbers, routers and tables of positions stay f32 (in f16 and bf16
//     files these tables, and routers, follow the file);
//   - the unembedding, or the embedding that stands for it, has q6_k, in q8_0
//     files q8_0;
//   - in the _m mixes values, the layer's last matrix and fused queries, keys and
//     values have more bits, the former two in the first eighth of the layers, the
//     last, and each third between;
//   - with eight experts, keys and values have q8_0, and in q4_k_m files the
//     output of attention q5_k;
//   - rows that are not whole blocks have the next wider format of 32, then f16.
//
// The plain q4_k and q5_k are uniform, other than llama.cpp's small mixes.
func Quantize(name string, md map[string]any, ts []checkpoint.Source) ([]checkpoint.GGUFSource, error) {
	m, ok := mixes[name]
	if !ok {
		return nil, fmt.Errorf("type %q is unknown: %s are supported", name, strings.Join(Types(), ", "))
	}
	md[FileTypeKey] = m.fileType
	if m.main.IsBlock() {
		md[QuantizationKey] = uint32(2)
	}
	layers, tied := 0, true
	for i := range ts {
		layers = max(layers, layer(ts[i].Name)+1)
		tied = tied && ts[i].Name != "output.weight"
	}
	arch, _ := md[ArchitectureKey].(string)
	experts, _ := md[arch+".expert_count"].(uint32)
	out := make([]checkpoint.GGUFSource, len(ts))
	for i, t := range ts {
		out[i] = checkpoint.GGUFSource{Source: t, DType: m.choose(t, layers, tied, int(experts))}
	}
	return out, nil
}

func (m mix) choose(t checkpoint.Source, layers int, tied bool, experts int) dtype.Type {
	part := t.Name[strings.LastIndex(strings.TrimSuffix(t.Name, ".weight"), ".")+1:]
	switch {
	case len(t.Shape) < 2 || !strings.HasSuffix(t.Name, ".weight") || strings.HasSuffix(t.Name, "_norm.weight"), m.main == dtype.F32:
		return dtype.F32
	case !m.main.IsBlock():
		return m.main
	case part == "ffn_gate_inp.weight" || part == "position_embd.weight":
		return dtype.F32
	}
	dt, cols := m.main, t.Shape[len(t.Shape)-1]
	more := moreBits(layer(t.Name), layers)
	switch {
	case t.Name == "output.weight" || tied && t.Name == "token_embd.weight":
		if values, _ := dt.Block(); cols%values != 0 {
			dt = dtype.Q8_0
		} else if dt != dtype.Q8_0 {
			dt = dtype.Q6_K
		}
	case experts == 8 && (part == "attn_v.weight" || part == "attn_k.weight"):
		dt = dtype.Q8_0
	case experts == 8 && part == "attn_output.weight" && m.medium && m.main == dtype.Q4_K:
		dt = dtype.Q5_K
	case m.medium && more && (part == "attn_v.weight" || strings.HasPrefix(part, "ffn_down")):
		dt = dtype.Q6_K
	case m.medium && part == "attn_qkv.weight" && m.main == dtype.Q4_K:
		dt = dtype.Q5_K
	case m.medium && part == "attn_qkv.weight":
		dt = dtype.Q6_K
	}
	if values, _ := dt.Block(); cols%values != 0 {
		dt = fallback[dt] // f32 where there is none
		if values, _ := dt.Block(); cols%values != 0 || dt == dtype.F32 {
			return dtype.F16
		}
	}
	return dt
}

func moreBits(i, n int) bool { return i < n/8 || i >= 7*n/8 || (i-n/8)%3 == 2 }
