// Package bundle opens a model: weights, tokenizer, chat format and generation
// defaults, the one place where words and numbers meet. A model is a directory
// in the layout of Hugging Face checkpoints, so other tools can read what Save
// writes:
//
//	config.json  model.safetensors  tokenizer.json  tokenizer_config.json
//	generation_config.json  chat_template.jinja
//
// or one GGUF file, which has all of it. Convert makes one of the other.
//
// Not here: what the parts mean (model/..., text/tokenizer, text/chat) and
// decoding (generate).
package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/model/zoo"
	"github.com/foundling-lm/foundling/tensor"
	"github.com/foundling-lm/foundling/tensor/dtype"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

// Bundle is an opened model.
type Bundle struct {
	Dir        string // its directory or its GGUF file
	Model      zoo.Trainable
	Tokenizer  *tokenizer.Tokenizer // nil where the directory has none that can be read
	NoTokens   error                // why Tokenizer is nil
	Chat       bool                 // the model was trained on conversations
	Template   *chat.Template       // how it wants them written; nil: the default of text/chat
	NoChat     error                // why a template that is there cannot be used
	Generation Generation
	Head       *model.Head // of a reward model or a classifier; nil: none

	bos, eos string // the tokenizer's names of them, where its files give any
}

// Generation is generation_config.json: how the model likes to be decoded.
type Generation struct {
	BOS         *int32  `json:"bos_token_id,omitempty"`
	EOS         IDs     `json:"eos_token_id,omitempty"` // any of them ends a text
	Pad         *int32  `json:"pad_token_id,omitempty"`
	Temperature float64 `json:"temperature,omitempty"`
	TopK        int     `json:"top_k,omitempty"`
	TopP        float64 `json:"top_p,omitempty"`
	MinP        float64 `json:"min_p,omitempty"`
	TypicalP    float64 `json:"typical_p,omitempty"`
	// RepetitionPenalty is about the whole text, prompt included.
	RepetitionPenalty float64 `json:"repetition_penalty,omitempty"`
	DoSample          bool    `json:"do_sample,omitempty"`
}

// check names the first field that is out of its range.
func (g *Generation) check() error {
	for _, f := range []struct {
		name        string
		value, most float64
	}{
		{"temperature", g.Temperature, math.MaxFloat64}, {"top_p", g.TopP, 1}, {"min_p", g.MinP, 1}, {"typical_p", g.TypicalP, 1},
		{"repetition_penalty", g.RepetitionPenalty, math.MaxFloat64},
	} {
		if !(f.value >= 0 && f.value <= f.most) {
			want := "a number from 0 up"
			if f.most == 1 {
				want = "a number from 0 to 1"
			}
			return fmt.Errorf("field %s is %v: want %s; correct it or remove the field", f.name, f.value, want)
		}
	}
	g.TopK = max(g.TopK, 0) // some write -1 for all
	return nil
}

// IDs is one token id or a list of them.
type IDs []int32

// UnmarshalJSON accepts a number or a list.
func (x *IDs) UnmarshalJSON(data []byte) error {
	var one int32
	if json.Unmarshal(data, &one) == nil {
		*x = IDs{one}
		return nil
	}
	return json.Unmarshal(data, (*[]int32)(x))
}

// Files of a model directory.
const (
	ConfigFile     = "config.json"
	WeightsFile    = "model.safetensors"
	TokenizerFile  = "tokenizer.json"
	TokenizerExtra = "tokenizer_config.json"
	GenerationFile = "generation_config.json"
	TemplateFile   = "chat_template.jinja"
)

// Open reads a model directory or a GGUF file, all weights as f32. With a nil backend the model
// has names and shapes only and no weights are read.
func Open(b tensor.Backend, dir string) (*Bundle, error) { return open(b, dir, model.Bind) }

// OpenStored is Open for a model that will not be trained or saved: matrices stay
// in the number format of the file where products take it.
func OpenStored(b tensor.Backend, dir string) (*Bundle, error) { return open(b, dir, model.BindStored) }

// binder reads weights: model.Bind or model.BindStored.
type binder func(tensor.Backend, model.Model, model.Weights) error

func open(b tensor.Backend, dir string, bind binder) (*Bundle, error) {
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: give a model directory or a GGUF file", dir)
	case err == nil && !info.IsDir():
		return openGGUF(b, dir, bind)
	}
	config, err := os.ReadFile(filepath.Join(dir, ConfigFile))
	if errors.Is(err, fs.ErrNotExist) {
		if lora.Is(dir) {
			return nil, fmt.Errorf("%s is an adapter: name the model below it, and the adapter as such (--adapter)", dir)
		}
		return nil, fmt.Errorf("%s is no model directory: it has no %s", dir, ConfigFile)
	} else if err != nil {
		return nil, err
	}
	z := &Bundle{Dir: dir}
	if z.Model, err = zoo.FromConfig(b, config); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if b != nil {
		if err := z.readWeights(b, bind, config); err != nil {
			return nil, err
		}
	}
	if _, err := atomicfile.ReadJSON(filepath.Join(dir, GenerationFile), &z.Generation); err != nil {
		return nil, err
	}
	if err := z.Generation.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, GenerationFile), err)
	}
	if len(z.Generation.EOS) == 0 { // older directories keep it in config.json
		if err := json.Unmarshal(config, &struct {
			EOS *IDs `json:"eos_token_id"`
		}{&z.Generation.EOS}); err != nil {
			return nil, fmt.Errorf("%s: eos_token_id: %w", filepath.Join(dir, ConfigFile), err)
		}
	}
	return z, z.readTokenizer()
}

func (z *Bundle) readWeights(b tensor.Backend, bind binder, config []byte) error {
	f, err := checkpoint.Open(z.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := bind(b, z.Model, headless{f}); err != nil {
		return fmt.Errorf("%s does not fit its config.json:\n%w", z.Dir, err)
	}
	if err := z.readHead(b, f, config); err != nil {
		return fmt.Errorf("%s: %w", z.Dir, err)
	}
	return nil
}

func (z *Bundle) readTokenizer() error {
	t, err := tokenizer.Load(z.Dir)
	if err != nil {
		z.NoTokens = err
		return nil
	}
	if err := z.setTokenizer(t); err != nil {
		return err
	}
	return z.readTemplate()
}

func (z *Bundle) setTokenizer(t *tokenizer.Tokenizer) error {
	if n, v := t.VocabSize(), z.Model.Dims().Vocab; n > v {
		return fmt.Errorf("the tokenizer of %s has %d tokens, the model's embedding only %d: they do not belong together", z.Dir, n, v)
	}
	z.Tokenizer = t
	return nil
}

// TokenBytes maps each id of the model to its bytes; special tokens have none.
// It is nil without a tokenizer.
func (z *Bundle) TokenBytes() [][]byte {
	if z.Tokenizer == nil {
		return nil
	}
	tokens, special := z.Tokenizer.Tokens()
	tokens = slices.Clone(tokens)
	for i := range tokens {
		if special[i] {
			tokens[i] = nil
		}
	}
	return tokens
}

// Save writes the directory; the weights come last, so a directory with weights
// is whole. dt is the format of the weights.
func (z *Bundle) Save(b tensor.Backend, dt dtype.Type) error {
	ts := model.Sources(b, z.Model.Params())
	if z.Head != nil {
		ts = append(ts, model.Sources(b, z.Head.Params())...)
	}
	return z.save(dt, ts)
}

func (z *Bundle) save(dt dtype.Type, ts []checkpoint.Source) error {
	if err := os.MkdirAll(z.Dir, 0o755); err != nil {
		return err
	}
	config, err := z.config()
	if err != nil {
		return err
	}
	if err := atomicfile.WriteJSON(filepath.Join(z.Dir, ConfigFile), config); err != nil {
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
	return checkpoint.Save(filepath.Join(z.Dir, WeightsFile), dt, nil, ts, 5<<30)
}

func (z *Bundle) saveTokenizer() error {
	if err := z.Tokenizer.Save(filepath.Join(z.Dir, TokenizerFile)); err != nil {
		return err
	}
	extra := map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": z.Model.Dims().Context}
	c := z.Conversation(nil)
	if c.BOS != "" {
		extra["bos_token"] = c.BOS
	}
	if c.EOS != "" {
		extra["eos_token"] = c.EOS
	}
	if z.Generation.Pad != nil {
		if s, ok := z.Tokenizer.Special(*z.Generation.Pad); ok {
			extra["pad_token"] = s
		}
	}
	template := filepath.Join(z.Dir, TemplateFile)
	if z.Chat {
		source := z.template().Source
		extra["chat_template"] = source
		if err := atomicfile.WriteFile(template, []byte(source)); err != nil {
			return err
		}
	} else if err := os.Remove(template); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return atomicfile.WriteJSON(filepath.Join(z.Dir, TokenizerExtra), extra)
}
