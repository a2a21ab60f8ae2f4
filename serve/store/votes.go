package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/foundling-lm/foundling/text/dataset"
)

// Vote says that of two answers to a prompt one is better.
type Vote struct {
	ID       string
	Made     time.Time
	Owner    string // who voted; "": the owner of the machine
	Model    string // that wrote the answers; "" is unknown
	Prompt   dataset.Text
	Chosen   dataset.Text
	Rejected dataset.Text
	// Tie says that neither is better; Chosen and Rejected are then in the order in
	// which they were shown.
	Tie bool
	// Selectors is what ways to choose among texts made of these, as the voter's
	// program has it: a JSON object, or nothing.
	Selectors json.RawMessage
}

// Record is the vote as data to learn from; a tie is none.
func (v *Vote) Record() (r dataset.Record, ok bool) {
	return dataset.Record{Kind: dataset.Preference, Prompt: v.Prompt, Chosen: v.Chosen, Rejected: v.Rejected}, !v.Tie
}

// AddVote keeps a vote and gives it ID and Made. Its error is a *FullError where the owner
// has too many.
func (s *Store) AddVote(ctx context.Context, v *Vote) error {
	v.ID = "vote_" + rand.Text()
	_, err := s.PutVote(ctx, v)
	return err
}

// PutVote keeps a vote under the ID that it has, instead of the one that has it, and gives
// it Made. Its error is a *FullError where the owner has too many, ErrNotFound where the
// vote of this ID is another owner's.
func (s *Store) PutVote(ctx context.Context, v *Vote) (replaced bool, err error) {
	v.Made = s.now().Truncate(time.Millisecond)
	var columns [3]string
	for i, t := range []dataset.Text{v.Prompt, v.Chosen, v.Rejected} {
		text, err := json.Marshal(t)
		if err != nil {
			return false, err
		}
		columns[i] = string(text)
	}
	tie := 0
	if v.Tie {
		tie = 1
	}
	args := []any{v.ID, v.Made.UnixMilli(), v.Owner, v.Model, columns[0], columns[1], columns[2], tie, string(v.Selectors)}
	err = s.within(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, `INSERT INTO votes (id, made, owner, model, prompt, chosen, rejected, tie, selectors)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING`, args...)
		if err = gone(r, err); err == nil {
			return count(ctx, tx, "votes", v.Owner, 1, cmp.Or(s.Bounds.Votes, DefaultVotes))
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		replaced = true
		return gone(tx.ExecContext(ctx, `UPDATE votes SET made = $2, model = $4, prompt = $5, chosen = $6, rejected = $7, tie = $8, selectors = $9
			WHERE id = $1 AND owner = $3`, args...))
	})
	return replaced && err == nil, err
}

// DeleteVote forgets a vote of an owner, or of anybody where owner is nil.
func (s *Store) DeleteVote(ctx context.Context, id string, owner *string) error {
	err := s.within(ctx, func(tx *sql.Tx) error {
		whose, args := owned(owner, id)
		var of string
		err := tx.QueryRowContext(ctx, "DELETE FROM votes WHERE id = $1"+whose+" RETURNING owner", args...).Scan(&of)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		} else if err != nil {
			return err
		}
		return count(ctx, tx, "votes", of, -1, math.MaxInt64)
	})
	if err != nil {
		return err
	}
	return s.scrub(ctx, "votes")
}

// owned is a condition on rows and its arguments behind those there are.
func owned(owner *string, args ...any) (string, []any) {
	if owner == nil {
		return "", args
	}
	return " AND owner = $" + string('1'+rune(len(args))), append(args, *owner)
}

// ListVotes gives at most limit votes, the newest first, those made before the vote of
// the ID before where that is not "". A nil owner stands for all.
func (s *Store) ListVotes(ctx context.Context, owner *string, before string, limit int) ([]Vote, error) {
	seq := int64(1) << 62
	if before != "" {
		whose, args := owned(owner, before)
		err := s.db.QueryRowContext(ctx, "SELECT seq FROM votes WHERE id = $1"+whose, args...).Scan(&seq)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, ErrNotFound
		} else if err != nil {
			return nil, err
		}
	}
	whose, args := owned(owner, seq, limit)
	votes, _, err := s.votes(ctx, "WHERE seq < $1"+whose+" ORDER BY seq DESC LIMIT $2", args)
	return votes, err
}

// Votes gives all votes, the oldest first. A nil owner stands for all.
func (s *Store) Votes(ctx context.Context, owner *string) iter.Seq2[Vote, error] {
	return func(yield func(Vote, error) bool) {
		const page = 256 // no connection is held while the caller is slow
		for after := int64(0); ; {
			whose, args := owned(owner, after, page)
			votes, last, err := s.votes(ctx, "WHERE seq > $1"+whose+" ORDER BY seq LIMIT $2", args)
			if err != nil {
				yield(Vote{}, err)
				return
			}
			for _, v := range votes {
				if !yield(v, nil) {
					return
				}
			}
			if len(votes) < page {
				return
			}
			after = last
		}
	}
}

// votes reads rows; last is the number of the last one.
func (s *Store) votes(ctx context.Context, which string, args []any) (votes []Vote, last int64, err error) {
	rows, err := s.db.QueryContext(ctx, "SELECT seq, id, made, owner, model, prompt, chosen, rejected, tie, selectors FROM votes "+which, args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var v Vote
		var made int64
		var selectors string
		texts := [3]string{}
		if err := rows.Scan(&last, &v.ID, &made, &v.Owner, &v.Model, &texts[0], &texts[1], &texts[2], &v.Tie, &selectors); err != nil {
			return nil, 0, err
		}
		for i, t := range []*dataset.Text{&v.Prompt, &v.Chosen, &v.Rejected} {
			if err := json.Unmarshal([]byte(texts[i]), t); err != nil {
				return nil, 0, err
			}
		}
		if v.Made = time.UnixMilli(made); selectors != "" {
			v.Selectors = json.RawMessage(selectors)
		}
		votes = append(votes, v)
	}
	return votes, last, rows.Err()
}

// scrub removes what deleted rows leave in the files: SQLite has written zeros over them
// and keeps them in its journal until it is emptied; PostgreSQL gives their space free.
func (s *Store) scrub(ctx context.Context, table string) error {
	if s.shared {
		_, err := s.db.ExecContext(ctx, "VACUUM "+table)
		return err
	}
	var busy, log, moved int
	if err := s.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &moved); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("it is deleted, and its text stays in the database's journal until other users of the file let go of it")
	}
	return nil
}
