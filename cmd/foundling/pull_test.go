package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPullAndUse pulls a model from a hub, lists it, writes text with it under its
// name, and deletes it.
func TestPullAndUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "served")
	if err := saveModel(dir, true); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(directoryHub(t, dir, "secret"))
	defer server.Close()
	store := filepath.Join(t.TempDir(), "store")
	env := append(os.Environ(), asProgram+"=1", "FOUNDLING_STORE="+store, "HF_ENDPOINT="+server.URL)
	foundling := func(wantCode int, args ...string) (stdout, stderr string) {
		t.Helper()
		program, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		c := exec.CommandContext(t.Context(), program, args...)
		c.Env, c.Stdout, c.Stderr = env, &out, &errs
		code := 0
		var exit *exec.ExitError
		if err := c.Run(); errors.As(err, &exit) {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != wantCode {
			t.Fatalf("foundling %q: exit code %d, want %d\n%s%s", args, code, wantCode, &out, &errs)
		}
		return out.String(), errs.String()
	}
	has := func(text, want string) {
		t.Helper()
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q in it", text, want)
		}
	}

	_, refused := foundling(exitFailed, "pull", "tiny/llama")
	has(refused, "is not public: check the name")
	env = append(env, "HF_TOKEN=secret")
	out, errs := foundling(exitDone, "pull", "tiny/llama")
	if out != "tiny/llama\n" {
		t.Errorf("got %q, %q", out, errs)
	}
	out, _ = foundling(exitDone, "models")
	has(out, "tiny/llama")
	has(strings.Join(strings.Fields(out), " "), "MB llama F32")
	out, _ = foundling(exitDone, "models", "--json")
	var listed listedModel
	if err := json.Unmarshal([]byte(out), &listed); err != nil || listed.Name != "tiny/llama" || listed.Bytes < 1000 || listed.Commit != directoryCommit {
		t.Errorf("got %s, %v", out, err)
	}
	out, _ = foundling(exitDone, "models", "path", "llama")
	if want := filepath.Join(store, "tiny", "llama") + "\n"; out != want {
		t.Errorf("got path %q, want %q", out, want)
	}
	byName, _ := foundling(exitDone, "generate", "--model", "llama", "--prompt", "hi", "--max-tokens", "5", "--threads", "1")
	byPath, _ := foundling(exitDone, "generate", "--model", dir, "--prompt", "hi", "--max-tokens", "5", "--threads", "1")
	if byName != byPath {
		t.Errorf("the pulled model writes %q, the served one %q", byName, byPath)
	}
	useByName(t, foundling)
	_, errs = foundling(exitFailed, "score", "--model", "nothing")
	has(errs, "no path and no model of the store")
	_, errs = foundling(exitUsage, "models", "rm", "llama")
	has(errs, "foundling models rm tiny/llama")
	foundling(exitDone, "models", "rm", "tiny/llama")
	out, errs = foundling(exitDone, "models")
	has(errs, "no models in "+store)
	if out != "" {
		t.Errorf("got %q after all was deleted", out)
	}
	for _, args := range [][]string{{"pull", "nothing"}, {"pull", "a/b", "--parallel", "0"}, {"pull", "a/b", "--endpoint", "ftp://x"}, {"pull", "a/b:c", "--include", "d"}} {
		foundling(exitUsage, args...)
	}
}

// useByName looks into a pulled model under its name with every command that
// computes nothing.
func useByName(t *testing.T, foundling func(wantCode int, args ...string) (stdout, stderr string)) {
	t.Helper()
	if out, _ := foundling(exitDone, "inspect", "llama"); !strings.Contains(out, "model.embed_tokens.weight") {
		t.Errorf("inspect by name: %q", out)
	}
	foundling(exitDone, "convert", "llama", filepath.Join(t.TempDir(), "llama.gguf"), "--threads", "1")
	if out, _ := foundling(exitDone, "tokenizer", "encode", "--model", "tiny/llama"); strings.TrimSpace(out) != "" {
		t.Errorf("no text has the ids %q", out)
	}
	for _, args := range [][]string{{"inspect", "nothing"}, {"convert", "nothing", "x.gguf"}, {"tokenizer", "decode", "--model", "nothing"}} {
		if _, errs := foundling(exitFailed, args...); !strings.Contains(errs, "no path and no model of the store") {
			t.Errorf("%q: %q", args, errs)
		}
	}
}

const directoryCommit = "00112233445566778899aabbccddeeff00112233"

// directoryHub serves a folder as the model tiny/llama.
func directoryHub(t *testing.T, dir, token string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		resolve := "/tiny/llama/resolve/" + directoryCommit + "/"
		switch {
		case r.URL.Path == "/api/models/tiny/llama/revision/main":
			fmt.Fprintf(w, `{"sha":%q}`, directoryCommit)
		case r.URL.Path == "/api/models/tiny/llama/tree/"+directoryCommit:
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Error(err)
			}
			var list []map[string]any
			for _, f := range files {
				data, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					t.Error(err)
				}
				sum := sha1.Sum(append(fmt.Appendf(nil, "blob %d\x00", len(data)), data...))
				list = append(list, map[string]any{"type": "file", "path": f.Name(), "size": len(data), "oid": hex.EncodeToString(sum[:])})
			}
			json.NewEncoder(w).Encode(list)
		case strings.HasPrefix(r.URL.Path, resolve):
			http.ServeFile(w, r, filepath.Join(dir, strings.TrimPrefix(r.URL.Path, resolve)))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
}

func TestDataDir(t *testing.T) {
	home := func() (string, error) { return filepath.Join("home", "u"), nil }
	abs, err := filepath.Abs("x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ system, variable, value, want string }{
		{"linux", "", "", filepath.Join("home", "u", ".local", "share")},
		{"linux", "XDG_DATA_HOME", abs, abs},
		{"linux", "XDG_DATA_HOME", "relative", filepath.Join("home", "u", ".local", "share")},
		{"darwin", "XDG_DATA_HOME", abs, filepath.Join("home", "u", "Library", "Application Support")},
		{"windows", "LocalAppData", abs, abs},
		{"windows", "", "", ""},
	} {
		env := func(name string) string {
			if name == c.variable {
				return c.value
			}
			return ""
		}
		got, err := dataDir(c.system, env, home)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s, %s=%s: got %q, %v, want %q", c.system, c.variable, c.value, got, err, c.want)
		}
	}
}

func TestTypeOfName(t *testing.T) {
	for name, want := range map[string]string{
		"SmolLM2-135M-Instruct-Q4_K_M.gguf": "Q4_K_M", "a.q8_0.gguf": "Q8_0", "m-bf16-00001-of-00003.gguf": "BF16", "m-IQ4_XS.gguf": "IQ4_XS", "model.gguf": "", "q4.safetensors": "",
	} {
		if got := typeOfName(filepath.Join("x", name)); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
