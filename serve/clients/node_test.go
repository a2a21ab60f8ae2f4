package clients_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// modules is a directory with the npm client: FOUNDLING_NODE_MODULES, or what npm
// installs of the lock file.
func modules(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("FOUNDLING_NODE_MODULES"); dir != "" {
		return dir
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not here, and FOUNDLING_NODE_MODULES names no directory with the package openai")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "node"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=0")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if text := string(out); strings.Contains(text, "EINTEGRITY") || strings.Contains(text, "EUSAGE") {
			t.Fatalf("npm ci: %v\n%s", err, text)
		}
		t.Skipf("npm ci cannot install the client: %v\n%s", err, out)
	}
	return filepath.Join(dir, "node_modules")
}

// TestNode is the flow of the npm client.
func TestNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("node is not here")
	}
	at := server(t)
	dir := t.TempDir()
	if err := os.Symlink(modules(t), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	flow, err := os.ReadFile(filepath.Join("testdata", "node", "flow.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(dir, "flow.mjs")
	if err := os.WriteFile(script, flow, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	run := exec.CommandContext(ctx, node, script)
	run.Env = append(os.Environ(), "BASE_URL="+at.url, "TEXT="+at.text, "CHAT="+at.chat, "CALLS="+at.calls, "API_KEY="+at.key, "SMALL="+os.Getenv("FOUNDLING_TEST_URL"))
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	parts := []string{"models", "completions", "embeddings", "errors"}
	if at.chat != "" {
		parts = append(parts, "chat", "stop", "json_schema", "tools", "responses")
	}
	if got := strings.Fields(string(out)); strings.Join(got, " ") != strings.Join(parts, " ") {
		t.Errorf("passed: %q, want %q", got, parts)
	}
}
