package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/train/posttrain"
)

func TestChatService(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Model       string
			Temperature *float64
			Messages    []chat.Message
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model != "m" || q.Temperature == nil || len(q.Messages) != 1 || r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("asked %+v, %v", q, err)
		}
		if r.URL.Path != "/v1/chat/completions" {
			t.Errorf("asked at %s", r.URL.Path)
		}
		switch text := q.Messages[0].Content; text {
		case "broken":
			http.Error(w, "no memory", http.StatusInternalServerError)
		case "locked":
			http.Error(w, "who are you?", http.StatusUnauthorized)
		case "busy":
			http.Error(w, "later", http.StatusTooManyRequests)
		case "moved":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		default:
			io.WriteString(w, text)
		}
	}))
	defer server.Close()
	for _, address := range []string{server.URL, server.URL + "/v1/", server.URL + "/v1/chat/completions"} {
		s, err := newChatService(address, "m", "k")
		if err != nil {
			t.Fatal(err)
		}
		said, err := s.say(t.Context(), []chat.Message{{Role: chat.RoleUser, Content: `{"choices":[{"message":{"content":"A"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}`}})
		if err != nil || said.Text != "A" || said.PromptTokens != 7 || said.CompletionTokens != 1 {
			t.Errorf("%s: %+v, %v", address, said, err)
		}
		for text, want := range map[string]string{
			"broken": "500", "locked": "--judge-key", "busy": "429", "moved": "302", "not JSON": "invalid character", `{"choices":[]}`: "content is missing", `{"choices":[{"message":{"content":null}}]}`: "content is missing",
			`{"choices":[{"message":{"content":"A"}}],"usage":{"prompt_tokens":-1}}`: "negative", strings.Repeat(" ", maxAnswer+1): "more than",
		} {
			if _, err := s.say(t.Context(), []chat.Message{{Role: chat.RoleUser, Content: text}}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.20q: error %v, want %q", text, err, want)
			} else if errors.Is(err, posttrain.ErrRefused) != (text == "locked") {
				t.Errorf("%.20q: it is asked again, or not: %v", text, err)
			}
		}
	}
	for _, address := range []string{"ftp://x", "http://", "x", "http://a b"} {
		if _, err := newChatService(address, "", ""); err == nil {
			t.Errorf("%q is taken as an address", address)
		}
	}
}

func FuzzChatResponse(f *testing.F) {
	f.Add([]byte(`{"choices":[{"message":{"content":"A"}}],"usage":{"prompt_tokens":7,"completion_tokens":1}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if said, err := readSaid("x", data); err == nil && (said.PromptTokens < 0 || said.CompletionTokens < 0) {
			t.Errorf("%q is read as %+v", data, said)
		}
	})
}

// judgeServer prefers the answer with the smaller first differing byte; it counts
// how often each question was asked, and hangs at question number hang.
type judgeServer struct {
	mu    sync.Mutex
	asked map[string]int
	n     int
	hang  int
	hangs chan struct{}
}

func (s *judgeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct{ Messages []chat.Message }
	_ = json.NewDecoder(r.Body).Decode(&q)
	text := q.Messages[0].Content
	s.mu.Lock()
	s.n++
	hang := s.n == s.hang
	if !hang {
		s.asked[text]++
	}
	s.mu.Unlock()
	if hang {
		close(s.hangs)
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
		return
	}
	_, rest, _ := strings.Cut(text, "Answer A:\n")
	a, rest, _ := strings.Cut(rest, "\n\nAnswer B:\n")
	b, _, _ := strings.Cut(rest, "\n\nPrinciple:")
	verdict := "B"
	if a < b {
		verdict = "A"
	}
	fmt.Fprintf(w, `{"choices":[{"message":{"content":"The better answer is %s."}}],"usage":{"prompt_tokens":10,"completion_tokens":5}}`, verdict)
}

// TestKilledJudge kills a run while its judge hangs; the run that goes on asks no
// question twice and ends in the same bits.
func TestKilledJudge(t *testing.T) {
	work := t.TempDir()
	model := filepath.Join(work, "model")
	if err := saveTiny(model, true, 512); err != nil {
		t.Fatal(err)
	}
	prompts := filepath.Join(work, "prompts.txt")
	if err := os.WriteFile(prompts, []byte("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &judgeServer{asked: map[string]int{}, hang: 11, hangs: make(chan struct{})}
	server := httptest.NewServer(s)
	defer server.Close()
	var outputs [2]string
	run := func(out string, threads int) *exec.Cmd {
		return exec.Command(exe, "rlaif", "--model", model, "--judge", server.URL, "--judge-concurrent", "1", "--prompts", prompts, "--n", "3", "--max-tokens", "150",
			"--price-in", "1", "--price-out", "10", "--out", filepath.Join(work, out), "--train", "--epochs", "2", "--seed", "4", "--threads", fmt.Sprint(threads), "--json")
	}
	killed := run("killed", 1)
	killed.Stderr = os.Stderr
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.hangs:
	case <-time.After(time.Minute):
		t.Fatal("the judge was not asked")
	}
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	for i, out := range []string{"killed", "whole"} {
		if i == 1 {
			s.mu.Lock()
			for q, n := range s.asked {
				if n != 1 {
					t.Errorf("asked %d times: %q", n, q)
				}
			}
			s.mu.Unlock()
		}
		cmd := run(out, 2)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		data, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v\n%s", out, err, stderr.Bytes())
		}
		outputs[i] = strings.ReplaceAll(string(data), filepath.Join(work, out), "")
		if !strings.Contains(outputs[i], `"decided":13`) || !strings.Contains(outputs[i], `"cost":0.00156`) {
			t.Errorf("%s: %s", out, data)
		}
	}
	for _, name := range []string{"model.safetensors", "preferences.jsonl"} {
		a, err := os.ReadFile(filepath.Join(work, "killed", name))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(work, "whole", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s of a killed run differs from that of a whole one", name)
		}
	}
}
