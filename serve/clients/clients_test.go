// Package clients_test has OpenAI's own clients talk to the server: the Go client and
// the npm client, each through one flow of models, completions, chat, streams, schemas,
// tools, embeddings, responses and errors.
//
// The server is one of stories260K, as it is and as a model of conversations; with
// FOUNDLING_TEST_URL it is a running one, and FOUNDLING_TEST_KEY its key.
package clients_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// target is a server to talk to.
type target struct {
	url, key   string
	text, chat string // names of models; chat is "" where none knows conversations
	calls      string // the one of conversations with the longest context: functions take room

	model *foundling.Model // of text; nil: of a server that the environment names
}

// stories opens the small model; chats makes it one of conversations.
func stories(t *testing.T, chats bool) *foundling.Model {
	t.Helper()
	m, err := foundling.Open(golden.Data(t, "models", "stories260K", "stories260K-f32.gguf"), foundling.Options{Threads: 1, CacheBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if chats {
		if err := m.Bundle.Converse(); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// roomy is a model with random weights and more context than the 128 tokens of
// stories260K: the description of functions does not fit into those.
func roomy(t *testing.T) *foundling.Model {
	t.Helper()
	m, err := servetest.Model(filepath.Join(t.TempDir(), "roomy"), servetest.Shape{Chat: true, Context: 2048})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// start serves stories260K on a free port; around, if not nil, is what requests pass.
func start(t *testing.T, o serve.Options, around func(http.Handler) http.Handler) target {
	t.Helper()
	m := stories(t, false)
	o.Models = []serve.Model{{Name: "stories", Model: m}, {Name: "talks", Model: stories(t, true)}, {Name: "roomy", Model: roomy(t)}}
	s, err := serve.New(o)
	if err != nil {
		t.Fatal(err)
	}
	var h http.Handler = s
	if around != nil {
		h = around(s)
	}
	listening := httptest.NewServer(h)
	t.Cleanup(listening.Close)
	return target{url: listening.URL, text: "stories", chat: "talks", calls: "roomy", model: m}
}

// server is the one that the environment names, else one of stories260K.
func server(t *testing.T) target {
	t.Helper()
	url := os.Getenv("FOUNDLING_TEST_URL")
	if url == "" {
		return start(t, serve.Options{}, nil)
	}
	at := target{url: url, key: os.Getenv("FOUNDLING_TEST_KEY")}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	if at.key != "" {
		request.Header.Set("Authorization", "Bearer "+at.key)
	}
	r, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var list struct {
		Data []struct {
			ID, Kind string
			Chat     bool
			Context  int `json:"max_model_len"`
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("GET /v1/models: %s, %v", r.Status, err)
	}
	room := 0
	for _, m := range list.Data {
		if at.text == "" && m.Kind == "text" {
			at.text = m.ID
		}
		if at.chat == "" && m.Chat {
			at.chat = m.ID
		}
		if m.Chat && m.Context > room {
			at.calls, room = m.ID, m.Context
		}
	}
	if at.text == "" {
		t.Fatalf("%s serves no model that writes: %+v", url, list.Data)
	}
	return at
}

// statuses notes what requests with the header X-Watched were answered with.
type statuses struct {
	all chan int
	saw func(status int)
}

func (s *statuses) around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Watched") != "" {
			w = &noting{w, s}
		}
		next.ServeHTTP(w, r)
	})
}

// list is what there was since the last call.
func (s *statuses) list() (list []int) {
	for len(s.all) > 0 {
		list = append(list, <-s.all)
	}
	return list
}

type noting struct {
	http.ResponseWriter
	s *statuses
}

// Unwrap is for http.ResponseController.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// WriteHeader notes the status.
func (n *noting) WriteHeader(status int) {
	n.s.all <- status
	n.s.saw(status)
	n.ResponseWriter.WriteHeader(status)
}
