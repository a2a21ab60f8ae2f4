package bundle

import (
	"os"
	"path/filepath"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/tensor"
)

// SaveAdapter writes an adapter of z to z.Dir, with the tokenizer and the chat
// format that it was trained with; base names the model below. The adapter's
// configuration is written last: with it the directory is whole.
func (z *Bundle) SaveAdapter(a *lora.Adapter, base string) error {
	if err := os.MkdirAll(z.Dir, 0o755); err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(filepath.Join(z.Dir, GenerationFile), z.Generation); err != nil {
		return err
	}
	if z.Tokenizer != nil {
		if err := z.saveTokenizer(); err != nil {
			return err
		}
	}
	return a.Save(z.Dir, base)
}

// Adapt attaches the adapter in dir to the model. Where dir has a chat format or
// ends of texts, they become those of z.
func (z *Bundle) Adapt(b tensor.Backend, dir string) (*lora.Adapter, error) {
	a, err := lora.Open(b, z.Model, dir)
	if err != nil {
		return nil, err
	}
	if err := z.take(dir); err != nil {
		a.Detach()
		return nil, err
	}
	return a, nil
}

// Adapted is Adapt that leaves z and its model, which may be at work, as they are: the
// adapter is not attached, and the bundle is another one of the same model.
func (z *Bundle) Adapted(b tensor.Backend, dir string) (*Bundle, *lora.Adapter, error) {
	a, err := lora.Read(b, z.Model, dir)
	if err != nil {
		return nil, nil, err
	}
	other := *z
	if err := other.take(dir); err != nil {
		a.Detach()
		return nil, nil, err
	}
	return &other, a, nil
}

// take makes the chat format and the ends of texts of an adapter's directory those of z.
func (z *Bundle) take(dir string) error {
	theirs := &Bundle{Dir: dir, Generation: z.Generation}
	if _, err := atomicfile.ReadJSON(filepath.Join(dir, GenerationFile), &theirs.Generation); err != nil {
		return err
	}
	if err := theirs.readTemplate(); err != nil {
		return err
	}
	z.Generation = theirs.Generation
	if theirs.Chat || theirs.NoChat != nil {
		z.Chat, z.Template, z.NoChat, z.bos, z.eos = theirs.Chat, theirs.Template, theirs.NoChat, theirs.bos, theirs.eos
	}
	return nil
}
