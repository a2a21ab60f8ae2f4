package store

import (
	"cmp"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"time"
)

// Kind is what a fact is good for.
type Kind string

// The kinds.
const (
	AboutUser  Kind = "fact"       // looked up where a question is about it
	Preference Kind = "preference" // how the user likes answers: always told
)

// Fact is something about a user.
type Fact struct {
	ID   string
	Made time.Time
	Whose
	Kind Kind
	Text string
	// Vector is the text for the model of the fingerprint Embedder; nil: not yet known.
	Vector   []float32
	Embedder []byte
}

// Whose is the user of a caller: what one caller's program keeps is hidden from the
// others.
type Whose struct{ Owner, User string }

// Limits of what is kept of one user.
const (
	MaxFacts = 1000
	MaxFact  = 2000 // bytes
)

// AddFact keeps a fact and gives it ID and Made. A text that is there already is not
// kept twice: f becomes the one that is. The error is a *FullError where the user or the
// owner has too many.
func (s *Store) AddFact(ctx context.Context, f *Fact) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		var made int64
		err := tx.QueryRowContext(ctx, "SELECT id, made FROM facts WHERE owner = $1 AND whom = $2 AND kind = $3 AND text = $4", f.Owner, f.User, f.Kind, f.Text).Scan(&f.ID, &made)
		if err == nil {
			f.Made = time.UnixMilli(made)
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM facts WHERE owner = $1 AND whom = $2", f.Owner, f.User).Scan(&n); err != nil {
			return err
		}
		if n >= MaxFacts {
			return &FullError{What: "facts", Of: "user", Most: MaxFacts}
		}
		if err := count(ctx, tx, "facts", f.Owner, 1, cmp.Or(s.Bounds.Facts, DefaultFacts)); err != nil {
			return err
		}
		f.ID, f.Made = "fact_"+rand.Text(), s.now().Truncate(time.Millisecond)
		_, err = tx.ExecContext(ctx, "INSERT INTO facts (id, made, owner, whom, kind, text) VALUES ($1, $2, $3, $4, $5, $6)", f.ID, f.Made.UnixMilli(), f.Owner, f.User, f.Kind, f.Text)
		return err
	})
}

// Facts are those about a user, the oldest first.
func (s *Store) Facts(ctx context.Context, of Whose) ([]Fact, error) {
	rows, err := s.db.QueryContext(ctx, "SELECT id, made, kind, text, vector, embedder FROM facts WHERE owner = $1 AND whom = $2 ORDER BY seq", of.Owner, of.User)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var facts []Fact
	for rows.Next() {
		f := Fact{Whose: of}
		var made int64
		var vector []byte
		if err := rows.Scan(&f.ID, &made, &f.Kind, &f.Text, &vector, &f.Embedder); err != nil {
			return nil, err
		}
		f.Made, f.Vector = time.UnixMilli(made), unpack(vector)
		facts = append(facts, f)
	}
	return facts, rows.Err()
}

// unpack reads what pack wrote.
func unpack(b []byte) []float32 {
	var v []float32
	for ; len(b) >= 4; b = b[4:] {
		v = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return v
}

// SetVectors keeps Vector and Embedder of facts. Those that are gone stay so.
func (s *Store) SetVectors(ctx context.Context, facts []*Fact) error {
	return s.within(ctx, func(tx *sql.Tx) error {
		for _, f := range facts {
			if _, err := tx.ExecContext(ctx, "UPDATE facts SET vector = $1, embedder = $2 WHERE id = $3", pack(f.Vector), f.Embedder, f.ID); err != nil {
				return err
			}
		}
		return nil
	})
}

// DeleteFact forgets one fact of an owner.
func (s *Store) DeleteFact(ctx context.Context, owner, id string) error {
	n, err := s.deleteFacts(ctx, owner, "owner = $1 AND id = $2", id)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

// DeleteFacts forgets all about a user, and says how many facts that were.
func (s *Store) DeleteFacts(ctx context.Context, of Whose) (int64, error) {
	return s.deleteFacts(ctx, of.Owner, "owner = $1 AND whom = $2", of.User)
}

// deleteFacts forgets the facts of an owner, $1, that a condition on $2 is true of.
func (s *Store) deleteFacts(ctx context.Context, owner, where, with string) (n int64, err error) {
	err = s.within(ctx, func(tx *sql.Tx) error {
		r, err := tx.ExecContext(ctx, "DELETE FROM facts WHERE "+where, owner, with)
		if err != nil {
			return err
		}
		if n, err = r.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return count(ctx, tx, "facts", owner, -n, math.MaxInt64)
	})
	if err != nil || n == 0 {
		return 0, err
	}
	return n, s.scrub(ctx, "facts")
}
