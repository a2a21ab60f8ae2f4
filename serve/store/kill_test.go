package store

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
)

// writer is the environment variable that makes a test process one that writes into the
// database it names, until it is killed.
const writer = "FOUNDLING_TEST_WRITER"

// write prints the id of each row once it is kept.
func write(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	c := s.Answers(1 << 20)
	for i := 0; ; i++ {
		v := &Vote{Prompt: dataset.Text{Plain: "p"}, Chosen: dataset.Text{Plain: strings.Repeat("c", 3000)}, Rejected: dataset.Text{Plain: "r"}}
		if err := s.AddVote(ctx, v); err != nil {
			return err
		}
		f := &Fact{Kind: AboutUser, Whose: Whose{User: fmt.Sprint(i)}, Text: "fact"}
		if err := s.AddFact(ctx, f); err != nil {
			return err
		}
		if err := c.Keep(ctx, &Answer{Key: Key{byte(i), byte(i >> 8)}, Body: []byte(fmt.Sprint(i))}); err != nil {
			return err
		}
		fmt.Println(v.ID, f.ID)
	}
}

// What was acknowledged is there after the process was killed at any moment.
func TestKill(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "killed.db")
	var kept []string
	for round := range 3 {
		c := exec.CommandContext(t.Context(), self)
		c.Env = append(os.Environ(), writer+"="+path)
		c.Stderr = os.Stderr
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			kept = append(kept, lines.Text())
			if n == 5+7*round {
				c.Process.Kill() // SIGKILL; what the pipe holds is still read
			}
		}
		c.Wait()
	}
	if len(kept) < 30 {
		t.Fatalf("the processes wrote %d rows only", len(kept))
	}
	s := open(t, path)
	var check string
	if err := s.db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Fatalf("the file is damaged: %s, %v", check, err)
	}
	votes, facts := map[string]bool{}, map[string]bool{}
	for v, err := range s.Votes(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		votes[v.ID] = true
	}
	rows, err := s.db.Query("SELECT id FROM facts")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		facts[id] = true
	}
	for _, line := range kept {
		vote, fact, _ := strings.Cut(line, " ")
		if !votes[vote] || !facts[fact] {
			t.Errorf("%s was acknowledged and is gone", line)
		}
	}
	if a, err := s.Answers(1<<20).Find(t.Context(), "", Key{3}); err != nil || a == nil || string(a.Body) != "3" {
		t.Errorf("answer 3: got %+v, %v", a, err)
	}
}
