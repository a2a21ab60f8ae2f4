package bundle

import (
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/gguf"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// openGGUF reads a model that is one GGUF file.
func openGGUF(b tensor.Backend, path string, bind binder) (*Bundle, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.GGUF() == nil {
		return nil, fmt.Errorf("%s holds weights alone: give a model directory, with %s, or a GGUF file", path, ConfigFile)
	}
	m, weights, err := zoo.FromGGUF(b, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	z := &Bundle{Dir: path, Model: m}
	if b != nil {
		if err := bind(b, m, weights); err != nil {
			return nil, fmt.Errorf("%s does not fit its metadata:\n%w", path, err)
		}
	}
	z.readGenerationGGUF(f.GGUF())
	t, err := tokenizer.FromGGUF(f.GGUF())
	if err != nil {
		z.NoTokens = fmt.Errorf("%s: %w", path, err)
		return z, nil
	}
	if err := z.setTokenizer(t); err != nil {
		return nil, err
	}
	template, _ := f.GGUF()[gguf.TemplateKey].(string)
	z.setTemplate(path+": metadata "+gguf.TemplateKey, template)
	return z, nil
}

// readGenerationGGUF takes the ids that begin and end texts from the metadata.
func (z *Bundle) readGenerationGGUF(md map[string]any) {
	token := func(key string) *int32 {
		if id, ok := gguf.ID(md, key); ok && id < z.Model.Dims().Vocab {
			n := int32(id)
			return &n
		}
		return nil
	}
	z.Generation.BOS, z.Generation.Pad = token(gguf.BOSKey), token(gguf.PadKey)
	for _, key := range []string{gguf.EOSKey, gguf.EOTKey, gguf.EOMKey} {
		if id := token(key); id != nil && !slices.Contains(z.Generation.EOS, *id) {
			z.Generation.EOS = append(z.Generation.EOS, *id)
		}
	}
}
