package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"math"
	"sync/atomic"
	"time"
)

// Key names an answer: a hash of all that the answer depends on.
type Key [32]byte

// Answer is what was answered before.
type Answer struct {
	Key   Key
	Owner string // whose request it was; "": the owner of the machine
	Body  []byte
	Made  time.Time
	TTL   time.Duration // how long it may be given again; 0: as long as there is room
	// Vector and Scope make an answer one that Near finds; Vector is nil for those
	// that are given for the same request alone.
	Scope  Key // what questions must have in common besides being alike
	Vector []float32
}

// Answers is the answers in a database.
type Answers struct {
	s     *Store
	bytes int64        // of all answers at most
	added atomic.Int64 // since they were last counted
}

// neighbours is how many of the newest answers of a scope Near looks at.
const neighbours = 4096

// Answers is the cache of answers that the database holds, of so many bytes at most. The
// answers that were not given for the longest time are the first to go.
func (s *Store) Answers(bytes int64) *Answers { return &Answers{s: s, bytes: bytes} }

// Find is an owner's answer of a key, nil if there is none.
func (c *Answers) Find(ctx context.Context, owner string, key Key) (*Answer, error) {
	a := &Answer{Key: key, Owner: owner}
	now := c.s.now().UnixMilli()
	var made, used int64
	err := c.s.db.QueryRowContext(ctx, "SELECT body, made, used FROM answers WHERE id = $1 AND expires > $2 AND owner = $3", key[:], now, owner).Scan(&a.Body, &made, &used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	a.Made = time.UnixMilli(made)
	if now-used >= time.Minute.Milliseconds() { // a write is dearer than a finer order is worth
		_, err = c.s.db.ExecContext(ctx, "UPDATE answers SET used = $1 WHERE id = $2 AND owner = $3", now, key[:], owner)
	}
	return a, err
}

// Near is an owner's answer to the question of a scope that is most like vector, which is
// of length 1, and how alike the two are: the cosine of their angle. It is nil where none
// reaches least.
func (c *Answers) Near(ctx context.Context, owner string, scope Key, vector []float32, least float64) (*Answer, float64, error) {
	rows, err := c.s.db.QueryContext(ctx, "SELECT id, vector FROM answers WHERE scope = $1 AND owner = $2 AND expires > $3 ORDER BY made DESC, id LIMIT $4", scope[:], owner, c.s.now().UnixMilli(), neighbours)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	var best Key
	found, likeness := false, least
	for rows.Next() {
		var id, v sql.RawBytes
		if err := rows.Scan(&id, &v); err != nil {
			return nil, 0, err
		}
		if x, ok := cosine(v, vector); ok && (x > likeness || !found && x >= least) {
			found, likeness = true, x
			copy(best[:], id)
		}
	}
	if err := cmp.Or(rows.Err(), rows.Close()); err != nil || !found {
		return nil, 0, err
	}
	a, err := c.Find(ctx, owner, best)
	return a, likeness, err
}

// cosine is that of the angle between two vectors of length 1.
func cosine(packed []byte, v []float32) (x float64, ok bool) {
	if len(packed) != 4*len(v) {
		return 0, false
	}
	for i, y := range v {
		x += float64(math.Float32frombits(binary.LittleEndian.Uint32(packed[4*i:]))) * float64(y)
	}
	return x, true
}

// pack is a vector as it is kept, nil for none.
func pack(v []float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// overhead is what an answer takes besides its body and vector, in bytes, about.
const overhead = 256

// Keep adds an answer, in the place of one of the same key. One larger than all that may
// be kept is passed over.
func (c *Answers) Keep(ctx context.Context, a *Answer) error {
	vector := pack(a.Vector)
	var scope []byte // NULL: Near does not see it
	if vector != nil {
		scope = a.Scope[:]
	}
	size := int64(len(a.Body) + len(vector) + overhead)
	if size > c.bytes {
		return nil
	}
	now := c.s.now()
	expires := int64(math.MaxInt64)
	if a.TTL > 0 {
		expires = now.Add(a.TTL).UnixMilli()
	}
	_, err := c.s.db.ExecContext(ctx, `INSERT INTO answers (id, owner, scope, vector, body, size, made, expires, used)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7)
		ON CONFLICT (owner, id) DO UPDATE SET scope = excluded.scope, vector = excluded.vector, body = excluded.body,
			size = excluded.size, made = excluded.made, expires = excluded.expires, used = excluded.used`,
		a.Key[:], a.Owner, scope, vector, a.Body, size, now.UnixMilli(), expires)
	if err != nil {
		return err
	}
	if c.added.Add(size) >= c.bytes/64 {
		c.added.Store(0)
		return c.trim(ctx, now)
	}
	return nil
}

// trim takes away what is out of date, and then what was not used for the longest time
// until the rest has room.
func (c *Answers) trim(ctx context.Context, now time.Time) error {
	if _, err := c.s.db.ExecContext(ctx, "DELETE FROM answers WHERE expires <= $1", now.UnixMilli()); err != nil {
		return err
	}
	_, err := c.s.db.ExecContext(ctx, `DELETE FROM answers WHERE (owner, id) IN (
		SELECT owner, id FROM (SELECT owner, id, SUM(size) OVER (ORDER BY used DESC, made DESC, id, owner) AS sum FROM answers) AS ordered WHERE sum > $1)`, c.bytes)
	return err
}

// Forget takes away the answers of an owner, or all where it is nil, and says how many.
func (c *Answers) Forget(ctx context.Context, owner *string) (int64, error) {
	whose, args := owned(owner)
	r, err := c.s.db.ExecContext(ctx, "DELETE FROM answers WHERE TRUE"+whose, args...)
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return n, cmp.Or(err, c.s.scrub(ctx, "answers"))
}
