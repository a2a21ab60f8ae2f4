package serve

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foundling-lm/foundling"
)

// Model is a model and the name by which requests ask for it. That of one with an
// adapter is MODEL:ADAPTER (foundling.Model.With), behind its model.
type Model struct {
	Name string
	*foundling.Model
}

// served is a model at work.
type served struct {
	Model
	loaded     time.Time
	base       *served // whose weights it shares, with an adapter of its own; nil: it has its own
	queue      *queue  // of the model and its adapters, which are decoded in one batch
	likenesses likenesses
	identity   identity
	grammars   grammars
}

// identity is the fingerprint of a model, computed when it is first asked for.
type identity struct {
	once  sync.Once
	print [16]byte
}

func (m *served) print() [16]byte {
	m.identity.once.Do(func() { m.identity.print = m.Fingerprint() })
	return m.identity.print
}

// models is what is served, in order: the first answers requests that name none.
type models struct {
	mu  sync.RWMutex
	all []*served
}

// list is what is served now.
func (t *models) list() []*served {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.all
}

// find is the model of a name, nil if there is none.
func (t *models) find(name string) *served {
	for _, m := range t.list() {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// set replaces what is served.
func (t *models) set(all []*served) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = all
}

// colon is between the names of a model and of its adapter.
const colon = ":"

// admissible says why a model cannot be served beside others.
func admissible(m Model, others []*served) error {
	switch {
	case m.Name == "":
		return errors.New("a model has no name")
	case m.Bundle.Tokenizer == nil:
		return fmt.Errorf("the model %s has no tokenizer to read text with: %w", m.Name, m.Bundle.NoTokens)
	case slices.ContainsFunc(others, func(o *served) bool { return o.Name == m.Name }):
		return fmt.Errorf("two models are named %q", m.Name)
	}
	return nil
}

// serving makes a model one that is served, beside others.
func (s *Server) serving(m Model, others []*served) *served {
	for _, o := range others {
		if o.base == nil && strings.HasPrefix(m.Name, o.Name+colon) && m.Shares(o.Model.Model) {
			return &served{Model: m, loaded: time.Now(), base: o, queue: o.queue}
		}
	}
	return &served{Model: m, loaded: time.Now(), queue: &queue{limit: s.o.Queue}}
}

// model is the one that a request asks for.
func (s *Server) model(name string) (*served, error) {
	if name == "" {
		return s.models.list()[0], nil
	}
	if m := s.models.find(name); m != nil {
		return m, nil
	}
	return nil, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("the model %q is not served here: GET /v1/models lists those that are", name), Param: "model", Code: "model_not_found"}
}

// writer is the model that a request for text asks for, with the adapter that it names.
func (s *Server) writer(f *writing) (*served, error) {
	m, err := s.model(f.Model)
	if err != nil || f.LoRA == "" {
		return m, err
	}
	if m.base != nil {
		return nil, wrong("lora", fmt.Sprintf("the model %s has an adapter by its name already", m.Name))
	}
	if with := s.models.find(m.Name + colon + f.LoRA); with != nil {
		return with, nil
	}
	return nil, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("the model %s has no adapter %q here: GET /v1/models lists them as MODEL%sADAPTER", m.Name, f.LoRA, colon), Param: "lora", Code: "adapter_not_found"}
}
