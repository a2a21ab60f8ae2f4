package serve

import (
	"net/http"
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
	Created int64  `json:"created"`
	Owner   string `json:"owned_by"`
	Context int    `json:"max_model_len"` // not OpenAI's: tokens
}

func (s *Server) info(m *served) modelInfo {
	return modelInfo{m.Name, "model", s.created, "foundling", m.Bundle.Model.Dims().Context}
}

// listModels is GET /v1/models.
func (s *Server) listModels(w *reply, _ *http.Request) error {
	var all []modelInfo
	for _, m := range s.models {
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
