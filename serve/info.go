package serve

import (
	"net/http"

	"github.com/foundling-lm/foundling"
)

// health is GET /health: the process answers.
func (s *Server) health(w *reply, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
	return nil
}

// readiness is GET /ready: requests are taken. It is 503 once the server stops.
func (s *Server) readiness(w *reply, _ *http.Request) error {
	if !s.ready.Load() {
		return &Error{Status: http.StatusServiceUnavailable, Message: "the server is shutting down", Code: "shutting_down"}
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
	return nil
}

// version is GET /version.
func (s *Server) version(w *reply, _ *http.Request) error {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.o.Version})
	return nil
}

// modelInfo is OpenAI's description of a model.
type modelInfo struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // when it was loaded
	Owner   string `json:"owned_by"`
	// Not OpenAI's:
	Context int  `json:"max_model_len"` // tokens
	Chat    bool `json:"chat"`          // it knows conversations
	// Kind is text, reward or classifier: the last two write nothing.
	Kind string `json:"kind"`
	// Defaults is what a request has that leaves these fields out.
	Defaults chainDefaults `json:"defaults"`
}

type chainDefaults struct {
	Temperature float64 `json:"temperature"`
	TopK        int     `json:"top_k"`
	TopP        float64 `json:"top_p"`
	MinP        float64 `json:"min_p"`
}

func (s *Server) info(m *served) modelInfo {
	d := m.Options(foundling.Decoding{}).Sample
	if d.TopP == 0 { // all tokens, which a request calls 1
		d.TopP = 1
	}
	kind := "text"
	switch {
	case m.classifies():
		kind = "classifier"
	case m.Bundle.Head != nil:
		kind = "reward"
	}
	return modelInfo{
		m.Name, "model", m.loaded.Unix(), "foundling", m.Bundle.Model.Dims().Context, m.chats() && kind == "text", kind,
		chainDefaults{d.Temperature, d.TopK, d.TopP, d.MinP},
	}
}

// listModels is GET /v1/models.
func (s *Server) listModels(w *reply, _ *http.Request) error {
	var all []modelInfo
	for _, m := range s.models.list() {
		all = append(all, s.info(m))
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": all})
	return nil
}

// oneModel is GET /v1/models/NAME.
func (s *Server) oneModel(w *reply, r *http.Request) error {
	m, err := s.model(r.PathValue("name"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.info(m))
	return nil
}
