package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/foundling-lm/foundling/text/dataset"
)

// No owner has more than the bounds, and what is deleted makes room.
func TestBounds(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		s.Bounds = Bounds{Facts: 3, Votes: 2}
		vote := func(owner string) (*Vote, error) {
			v := &Vote{Owner: owner, Prompt: dataset.Text{Plain: "p"}, Chosen: dataset.Text{Plain: "a"}, Rejected: dataset.Text{Plain: "b"}}
			return v, s.AddVote(ctx, v)
		}
		fact := func(owner, user, text string) (*Fact, error) {
			f := &Fact{Whose: Whose{owner, user}, Kind: AboutUser, Text: text}
			return f, s.AddFact(ctx, f)
		}
		full := func(what string, most int64, err error) {
			t.Helper()
			var e *FullError
			if !errors.As(err, &e) || *e != (FullError{what, "key", most}) {
				t.Errorf("got %v, want %d %s to be the most", err, most, what)
			}
		}
		fits := func(err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
		}
		for range 2 {
			_, err := vote("ann")
			fits(err)
		}
		_, err := vote("ann")
		full("votes", 2, err)
		v, err := vote("bob")
		fits(err)
		_, err = vote("bob")
		fits(err)
		fits(s.DeleteVote(ctx, v.ID, nil)) // by an admin
		_, err = vote("bob")
		fits(err)
		_, err = vote("bob")
		full("votes", 2, err)

		one, err := fact("ann", "u", "one")
		fits(err)
		for _, user := range []string{"u", "v"} {
			_, err := fact("ann", user, "two")
			fits(err)
		}
		_, err = fact("ann", "w", "three")
		full("facts", 3, err)
		if again, err := fact("ann", "u", "one"); err != nil || again.ID != one.ID {
			t.Errorf("a fact that is there: got %v, %v", again.ID, err)
		}
		_, err = fact("bob", "u", "one")
		fits(err)
		fits(s.DeleteFact(ctx, "ann", one.ID))
		_, err = fact("ann", "w", "three")
		fits(err)
		if n, err := s.DeleteFacts(ctx, Whose{"ann", "nobody"}); n != 0 || err != nil {
			t.Errorf("deleting nothing: got %d, %v", n, err)
		}
		if n, err := s.DeleteFacts(ctx, Whose{"ann", "w"}); n != 1 || err != nil {
			t.Errorf("got %d, %v, want 1", n, err)
		}
		_, err = fact("ann", "w", "four")
		fits(err)
		_, err = fact("ann", "w", "five")
		full("facts", 3, err)
		if facts, err := s.Facts(ctx, Whose{"ann", "w"}); err != nil || len(facts) != 1 {
			t.Errorf("what did not fit was kept: %v, %v", facts, err)
		}
	})
}

// The bounds hold for what comes at one time.
func TestBoundsTogether(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		s.Bounds = Bounds{Facts: 10}
		var added atomic.Int64
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for k := range 5 {
					err := s.AddFact(t.Context(), &Fact{Kind: AboutUser, Whose: Whose{User: fmt.Sprint(i)}, Text: fmt.Sprint(k)})
					var full *FullError
					switch {
					case err == nil:
						added.Add(1)
					case !errors.As(err, &full):
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n := added.Load(); n != 10 {
			t.Errorf("%d facts were kept, want 10", n)
		}
	})
}

// Rows from before they were counted count.
func TestCounted(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		for _, statement := range []string{
			"DROP TABLE kept", "DROP INDEX votes_of", "DELETE FROM foundling WHERE version = 4",
			"INSERT INTO facts (id, made, owner, whom, kind, text) VALUES ('1', 1, 'ann', 'u', 'fact', 'a'), ('2', 1, 'ann', 'v', 'fact', 'a'), ('3', 1, 'bob', '', 'fact', 'a')",
			`INSERT INTO votes (id, made, owner, model, prompt, chosen, rejected, tie, selectors) VALUES ('1', 1, 'ann', '', '"p"', '"a"', '"b"', 0, '')`,
		} {
			if _, err := s.db.Exec(statement); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		for owner, want := range map[string][2]int{"ann": {1, 2}, "bob": {0, 1}} {
			var got [2]int
			if err := s.db.QueryRow("SELECT votes, facts FROM kept WHERE owner = $1", owner).Scan(&got[0], &got[1]); err != nil || got != want {
				t.Errorf("%s: got %v, %v, want %v", owner, got, err, want)
			}
		}
	})
}

// A vote that is put under its name again takes the place of the first, in room for one.
func TestPutVote(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		ctx := t.Context()
		s.Bounds.Votes = 1
		put := func(id, owner, chosen string) (bool, error) {
			return s.PutVote(ctx, &Vote{ID: id, Owner: owner, Prompt: dataset.Text{Plain: "p"}, Chosen: dataset.Text{Plain: chosen}, Rejected: dataset.Text{Plain: "no"}})
		}
		var group sync.WaitGroup
		var added atomic.Int32
		for i := range 8 {
			group.Go(func() {
				replaced, err := put("v", "ann", fmt.Sprint(i))
				if err != nil {
					t.Error(err)
				} else if !replaced {
					added.Add(1)
				}
			})
		}
		group.Wait()
		if added.Load() != 1 {
			t.Errorf("of 8 votes of one name %d were new", added.Load())
		}
		if replaced, err := put("v", "ann", "last"); err != nil || !replaced {
			t.Errorf("a vote that is there: replaced %v, %v", replaced, err)
		}
		if _, err := put("v", "bob", "his"); !errors.Is(err, ErrNotFound) {
			t.Errorf("the vote of another: %v", err)
		}
		var full *FullError
		if _, err := put("w", "ann", "more"); !errors.As(err, &full) {
			t.Errorf("a second vote in room for one: %v", err)
		}
		if votes, err := s.ListVotes(ctx, nil, "", 9); err != nil || len(votes) != 1 || votes[0].Chosen.Plain != "last" || votes[0].Owner != "ann" {
			t.Errorf("kept: %+v, %v, want the last of ann's", votes, err)
		}
	})
}
