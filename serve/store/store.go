// Package store keeps what a server is to remember in a SQL database: votes on
// answers, facts about users, and answers for requests that come again.
//
// The central type is Store; Open makes one of a file (SQLite, compiled in) or of a
// PostgreSQL server, which several servers may share. What a call has returned for is on
// disk: a file is in write-ahead mode and synced at each commit.
//
// Not here: what a request is a repetition of, who is asking, and how facts come into a
// prompt (package serve).
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// ErrNotFound is what calls return that name a row that is not there, or not the
// caller's.
var ErrNotFound = errors.New("there is no such entry")

// Store is an open database. Its methods may be called by several goroutines.
type Store struct {
	// Bounds are set before the store is used.
	Bounds Bounds

	db     *sql.DB
	shared bool             // PostgreSQL
	now    func() time.Time // tests have their own
}

// Bounds are how much is kept of one owner.
type Bounds struct {
	Facts int64 // of all users together; 0: DefaultFacts
	Votes int64 // 0: DefaultVotes
}

// The defaults of Bounds.
const (
	DefaultFacts = 10_000
	DefaultVotes = 1_000_000
)

// FullError says that so much is kept that there may be no more.
type FullError struct {
	What string // facts or votes
	Of   string // user or key
	Most int64
}

func (e *FullError) Error() string {
	return fmt.Sprintf("%d %s are kept of a %s, and there are so many: delete some", e.Most, e.What, e.Of)
}

// count notes that so many rows of a table come for an owner, or go where n is negative;
// no more than most may be there.
func count(ctx context.Context, tx *sql.Tx, table, owner string, n, most int64) error {
	statement := "UPDATE kept SET " + table + " = " + table + " + $2 WHERE owner = $1 AND " + table + " + $2 <= $3"
	r, err := tx.ExecContext(ctx, statement, owner, n, most)
	if err = gone(r, err); !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO kept (owner, votes, facts) VALUES ($1, 0, 0) ON CONFLICT (owner) DO NOTHING", owner); err != nil {
		return err
	}
	r, err = tx.ExecContext(ctx, statement, owner, n, most)
	if err = gone(r, err); errors.Is(err, ErrNotFound) {
		return &FullError{What: table, Of: "key", Most: most}
	}
	return err
}

// isServer says that where names a PostgreSQL server and not a file.
func isServer(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// Exists says whether a database is there to be opened, as far as can be told without:
// of a server it always is.
func Exists(where string) bool {
	if strings.Contains(where, "://") {
		return true
	}
	_, err := os.Stat(where)
	return !errors.Is(err, os.ErrNotExist)
}

// Open opens a database and makes its tables: where is the path of a file or the address
// of a PostgreSQL server, postgres://USER:PASSWORD@HOST/NAME.
func Open(ctx context.Context, where string) (*Store, error) {
	s := &Store{shared: isServer(where), now: time.Now}
	var err error
	driver, source := "pgx", where
	switch {
	case s.shared:
	case strings.Contains(where, "://"):
		return nil, fmt.Errorf("%s: databases are a file or postgres://", Redacted(where))
	default:
		driver = "sqlite"
		if source, err = file(where); err != nil {
			return nil, err
		}
	}
	if s.db, err = sql.Open(driver, source); err != nil {
		return nil, fmt.Errorf("%s: %w", Redacted(where), err)
	}
	s.db.SetMaxOpenConns(16)
	s.db.SetConnMaxIdleTime(5 * time.Minute)
	if err := s.migrate(ctx); err != nil {
		s.db.Close()
		return nil, fmt.Errorf("%s: %w", Redacted(where), err)
	}
	return s, nil
}

// file is a path as the driver takes it. The file is made here since it belongs to its
// owner alone: it holds what people wrote.
func file(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/...
	}
	q := url.Values{
		"_pragma": {"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)", "secure_delete(ON)", "trusted_schema(OFF)"},
		"_txlock": {"immediate"}, // a transaction that reads first never has to begin again
		"_dqs":    {"false"},
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String(), nil
}

// Redacted is an address without its password, which may be one of its parameters.
func Redacted(where string) string {
	u, err := url.Parse(where)
	if err != nil {
		scheme, _, _ := strings.Cut(where, "://")
		return scheme + "://..."
	}
	if q := u.Query(); q.Has("password") {
		q.Set("password", "xxxxx")
		u.RawQuery = q.Encode()
	}
	return u.Redacted()
}

// Close ends the use of the database.
func (s *Store) Close() error { return s.db.Close() }

// within runs f in a transaction.
func (s *Store) within(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing once it is committed
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// gone is ErrNotFound where a statement changed no row.
func gone(r sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}
