//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/train"
)

// TestKillPolicy kills runs of PPO and GRPO at random moments of rollouts, rewards
// and updates, and goes on with another number of threads: the weights are those of
// a run that was never killed, and the service that rewards is asked again only
// for what was on its way when the process died.
func TestKillPolicy(t *testing.T) {
	bin, dir := os.Args[0], t.TempDir()
	base := filepath.Join(dir, "base")
	if err := saveModel(base, true); err != nil {
		t.Fatal(err)
	}
	prompts := filepath.Join(dir, "prompts.txt")
	if err := os.WriteFile(prompts, []byte("one\ntwo\nthree\nfour\nfive\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ Completions []string }
		if json.NewDecoder(r.Body).Decode(&body) != nil {
			return // the client was killed
		}
		calls.Add(1)
		rewards := make([]float64, len(body.Completions))
		for i, s := range body.Completions {
			rewards[i] = float64(len(s)%5) / 7
		}
		time.Sleep(time.Millisecond)
		_ = json.NewEncoder(w).Encode(map[string]any{"rewards": rewards})
	}))
	defer service.Close()
	for _, method := range [][]string{
		{"ppo", "--rollout", "16", "--minibatches", "2", "--kl-target", "0.1", "--kl-horizon", "100", "--stop-kl", "0.01"},
		{"grpo", "--rollout", "8", "--completions", "4", "--rollout-epochs", "2"},
	} {
		steps := 10 * killRounds
		args := func(out string, threads int) []string {
			return append(method, "--model", base, "--data", prompts, "--reward", service.URL, "--max-tokens", "8", "--lr", "0.003",
				"--steps", fmt.Sprint(steps), "--save-every", "30ms", "--threads", fmt.Sprint(threads), "--out", out)
		}
		whole, killedDir := filepath.Join(dir, method[0]+" whole"), filepath.Join(dir, method[0]+" killed")
		start := time.Now()
		if out, err := exec.Command(bin, args(whole, 2)...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		took, want := time.Since(start), calls.Swap(0)
		r, kills := rand.New(rand.NewPCG(3, 5)), 0
		for _, s := range []killStage{
			{"beginning", "", "", took / 2},
			{"training", train.CheckpointFile, "", took / 4},
		} {
			for range 2 * killRounds {
				if killed(t, exec.Command(bin, args(killedDir, 1)...), killedDir, s, r) {
					kills++
				}
			}
		}
		if out, err := exec.Command(bin, args(killedDir, 2)...).CombinedOutput(); err != nil {
			t.Fatalf("after %d kills: %v\n%s", kills, err, out)
		}
		n := calls.Swap(0)
		t.Logf("%s: %d kills, %d calls instead of %d; an uninterrupted run takes %v", method[0], kills, n, want, took)
		if n < want || n > want+int64(kills) {
			t.Errorf("%s: the service was asked %d times, an uninterrupted run asks it %d times and there were %d kills", method[0], n, want, kills)
		}
		if kills < killRounds {
			t.Errorf("%s: only %d runs were killed", method[0], kills)
		}
		sameFile(t, filepath.Join(killedDir, bundle.WeightsFile), filepath.Join(whole, bundle.WeightsFile))
		log, err := train.ReadMetrics(filepath.Join(killedDir, train.MetricsFile))
		if err != nil || len(log) != steps {
			t.Errorf("%s: the log has %d steps, %v, want %d", method[0], len(log), err, steps)
		}
	}
}
