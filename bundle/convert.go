package bundle

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/internal/parallel"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// GGUFSuffix marks what Convert writes as one file.
const GGUFSuffix = ".gguf"

// ConvertOptions say how a model is converted.
type ConvertOptions struct {
	// Type is the number format of the weights: for a GGUF file one of
	// gguf.Types, for a directory f32, f16 or bf16. Empty keeps f32, f16 and bf16
	// as they are and writes block formats as f32.
	Type string
	// Threads is the number of compute threads; 0 means all processors. The bytes
	// do not depend on it.
	Threads int
	// Adapter is a directory whose adapter is merged into the weights, in the
	// precision of Backend; empty: none.
	Adapter string
	Backend tensor.Backend // for Adapter
	// Progress is told how many of the parameters have been written; nil: nobody.
	Progress func(done, total int64)
}

// Convert reads the model in, a directory in the layout of Hugging Face or a GGUF
// file, and writes it as out: a GGUF file where the name ends in .gguf, else a
// directory. What was there before stays until the new is whole.
func Convert(in, out string, o ConvertOptions) error {
	z, err := Open(nil, in)
	if err != nil {
		return err
	}
	f, err := checkpoint.Open(in)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, ok := f.Tensor(model.HeadName); ok {
		return fmt.Errorf("%s is a reward model or a classifier (%s): only language models are converted", in, model.HeadName)
	}
	var weights model.Weights = f
	if f.GGUF() != nil {
		if _, weights, err = zoo.FromGGUF(nil, f); err != nil {
			return fmt.Errorf("%s: %w", in, err)
		}
	}
	ts, err := model.Stored(z.Model, weights)
	if err != nil {
		return fmt.Errorf("%s does not fit its configuration:\n%w", in, err)
	}
	if o.Type == "" {
		o.Type = storedType(f)
	}
	if o.Adapter != "" {
		a, err := z.Adapt(o.Backend, o.Adapter)
		if err != nil {
			return err
		}
		defer a.Detach()
		if ts, err = a.Sources(ts); err != nil {
			return fmt.Errorf("%s: %w", in, err)
		}
	}
	ts = counted(ts, o.Progress)
	if strings.HasSuffix(out, GGUFSuffix) {
		return z.saveGGUF(out, f.GGUF(), ts, o)
	}
	dt, err := dtype.Parse(o.Type)
	if err != nil || dt != dtype.F32 && dt != dtype.F16 && dt != dtype.BF16 {
		return fmt.Errorf("type %q: directories hold f32, f16 or bf16; block formats need a name that ends in %s", o.Type, GGUFSuffix)
	}
	z.Dir = out
	return z.save(dt, ts)
}

// storedType is the format of the largest tensor where a directory can have it.
func storedType(f *checkpoint.File) string {
	size, kind := 0, "f32"
	for _, name := range f.Names() {
		if t, _ := f.Tensor(name); t.Len() > size {
			size, kind = t.Len(), "f32"
			if t.DType == dtype.F16 || t.DType == dtype.BF16 {
				kind = t.DType.String()
			}
		}
	}
	return kind
}

// counted tells progress of what is read.
func counted(ts []checkpoint.Source, progress func(done, total int64)) []checkpoint.Source {
	if progress == nil {
		return ts
	}
	var done, total int64
	out := slices.Clone(ts)
	for i := range out {
		n := int64(1)
		for _, d := range out[i].Shape {
			n *= int64(d)
		}
		total += n
		read := out[i].Read
		out[i].Read = func(dst []float32) error {
			err := read(dst)
			done += n
			progress(done, total)
			return err
		}
	}
	return out
}

// saveGGUF writes all that z has into one file; from is the metadata of the GGUF
// file that it came from, nil for none.
func (z *Bundle) saveGGUF(path string, from map[string]any, ts []checkpoint.Source, o ConvertOptions) error {
	family, err := zoo.GGUF(z.Model.Family())
	if err != nil {
		return err
	}
	md, config, err := family.Export(z.Model.Config())
	if err != nil {
		return err
	}
	if err := z.tokenizerGGUF(md, from, config); err != nil {
		return err
	}
	abs, err := filepath.Abs(z.Dir)
	if err != nil {
		return err
	}
	md[gguf.NameKey] = strings.TrimSuffix(filepath.Base(abs), GGUFSuffix)
	if name, ok := from[gguf.NameKey]; ok {
		md[gguf.NameKey] = name
	}
	if ts, err = family.Sources(config, ts); err != nil {
		return err
	}
	typed, err := gguf.Quantize(o.Type, md, ts)
	if err != nil {
		return err
	}
	pool := parallel.New(o.Threads)
	defer pool.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return checkpoint.SaveGGUF(path, md, typed, pool)
}

// tokenizerGGUF adds vocabulary, chat template and the ids that begin and end
// texts.
func (z *Bundle) tokenizerGGUF(md, from map[string]any, config gguf.Values) error {
	if from != nil {
		for key, v := range from {
			if strings.HasPrefix(key, "tokenizer.") {
				md[key] = v
			}
		}
		return nil
	}
	if z.Tokenizer == nil {
		md["tokenizer.ggml.model"] = "none"
	} else {
		vocabulary, err := z.Tokenizer.GGUF(z.Model.Dims().Vocab)
		if err != nil {
			return fmt.Errorf("%s: %w", z.Dir, err)
		}
		maps.Copy(md, vocabulary)
	}
	put := func(key string, id *int32) {
		if id != nil {
			md[key] = uint32(*id)
		}
	}
	if id, ok := config["bos_token_id"].(float64); ok && z.Generation.BOS == nil {
		md[gguf.BOSKey] = uint32(id)
	}
	put(gguf.BOSKey, z.Generation.BOS)
	put(gguf.PadKey, z.Generation.Pad)
	for i, key := range []string{gguf.EOSKey, gguf.EOTKey, gguf.EOMKey} {
		if i < len(z.Generation.EOS) {
			put(key, &z.Generation.EOS[i])
		}
	}
	if z.Chat {
		md[gguf.TemplateKey] = z.template().Source
	}
	return nil
}
