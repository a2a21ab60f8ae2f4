package store

import (
	"database/sql"
	"encoding/json"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve/store/storetest"
	"github.com/foundling-lm/foundling/text/dataset"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writer); path != "" {
		log.Fatal(write(path))
	}
	code := m.Run()
	storetest.Stop()
	os.Exit(code)
}

// each runs a test on every kind of database.
func each(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "a?b%20.db"))) })
	t.Run("postgres", func(t *testing.T) { test(t, open(t, storetest.Postgres(t))) })
}

func open(t *testing.T, where string) *Store {
	t.Helper()
	s, err := Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestVotes(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		turns := dataset.Text{Turns: []dataset.Turn{{Role: "user", Content: "zero \x00, <b> & ü"}}}
		votes := []*Vote{
			{Owner: "ann", Model: "m", Prompt: turns, Chosen: dataset.Text{Plain: "yes"}, Rejected: dataset.Text{Plain: "no"}, Selectors: json.RawMessage(`{"sum":0}`)},
			{Owner: "bob", Prompt: dataset.Text{Plain: "2+2="}, Chosen: dataset.Text{Plain: "4"}, Rejected: dataset.Text{Plain: "5"}},
			{Owner: "ann", Prompt: dataset.Text{Plain: "x"}, Chosen: dataset.Text{Plain: "y"}, Rejected: dataset.Text{Plain: "z"}, Tie: true},
		}
		for _, v := range votes {
			if err := s.AddVote(ctx, v); err != nil {
				t.Fatal(err)
			}
		}
		ann, carl := "ann", "carl"
		for _, c := range []struct {
			owner  *string
			before string
			limit  int
			want   []int
		}{
			{nil, "", 9, []int{2, 1, 0}}, {nil, "", 2, []int{2, 1}}, {nil, votes[1].ID, 2, []int{0}},
			{&ann, "", 9, []int{2, 0}}, {&ann, votes[2].ID, 9, []int{0}}, {&carl, "", 9, nil},
		} {
			got, err := s.ListVotes(ctx, c.owner, c.before, c.limit)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("got %d votes, %v, want %v", len(got), err, c.want)
			}
			for i, k := range c.want {
				g, w := &got[i], votes[k]
				if g.ID != w.ID || g.Owner != w.Owner || g.Model != w.Model || !g.Made.Equal(w.Made) || g.Tie != w.Tie || string(g.Selectors) != string(w.Selectors) ||
					!g.Prompt.Equal(w.Prompt) || !g.Chosen.Equal(w.Chosen) || !g.Rejected.Equal(w.Rejected) {
					t.Errorf("got %+v, want %+v", g, w)
				}
			}
		}
		if _, err := s.ListVotes(ctx, &ann, votes[1].ID, 9); !errors.Is(err, ErrNotFound) {
			t.Errorf("a page behind another's vote: got %v, want ErrNotFound", err)
		}
		if err := s.DeleteVote(ctx, votes[1].ID, &ann); !errors.Is(err, ErrNotFound) {
			t.Errorf("deleting another's vote: got %v, want ErrNotFound", err)
		}
		if err := s.DeleteVote(ctx, votes[0].ID, &ann); err != nil {
			t.Fatal(err)
		}
		var left []string
		for v, err := range s.Votes(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			left = append(left, v.ID)
		}
		if want := []string{votes[1].ID, votes[2].ID}; strings.Join(left, " ") != strings.Join(want, " ") {
			t.Errorf("left are %v, want %v", left, want)
		}
	})
}

// All votes are given, though they are read in pages.
func TestManyVotes(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		const n = 600
		if err := s.within(t.Context(), func(tx *sql.Tx) error {
			for i := range n {
				if _, err := tx.Exec(`INSERT INTO votes (id, made, owner, model, prompt, chosen, rejected, tie, selectors) VALUES ($1, 1, '', '', '"p"', '"a"', '"b"', 0, '')`, strconv.Itoa(i)); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for v, err := range s.Votes(t.Context(), nil) {
			if err != nil {
				t.Fatal(err)
			}
			seen[v.ID] = true
		}
		if len(seen) != n {
			t.Errorf("got %d votes, want %d", len(seen), n)
		}
	})
}

// What was kept is there when the database is opened again, and its file is private.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "data.db")
	s := open(t, path)
	v := &Vote{Prompt: dataset.Text{Plain: "p"}, Chosen: dataset.Text{Plain: "a"}, Rejected: dataset.Text{Plain: "b"}}
	if err := s.AddVote(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := open(t, path).ListVotes(t.Context(), nil, "", 1)
	if err != nil || len(got) != 1 || got[0].ID != v.ID {
		t.Errorf("got %v, %v, want the vote %s", got, err, v.ID)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestOpenErrors(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "newer.db")
	s := open(t, newer)
	if _, err := s.db.Exec("INSERT INTO foundling (version) VALUES (99)"); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(other, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for where, want := range map[string]string{
		newer:                               "use a newer program",
		other:                               "not a database",
		"mysql://me:secret@host/db":         "databases are a file or postgres://",
		"postgres://me:secret@127.0.0.1:1/": "127.0.0.1",
		t.TempDir():                         "is a directory",
	} {
		s, err := Open(t.Context(), where)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v, want %q and no password", where, err, want)
		}
	}
}
