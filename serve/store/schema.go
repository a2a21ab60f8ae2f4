package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// versions are the steps by which the tables came to be; a database is brought from the
// one it has to the last. A step that was published stays as it is. Times are
// milliseconds since 1970.
var versions = []string{
	`CREATE TABLE votes (
	seq {serial},
	id TEXT NOT NULL UNIQUE,
	made BIGINT NOT NULL,
	owner TEXT NOT NULL,
	model TEXT NOT NULL,
	prompt TEXT NOT NULL,
	chosen TEXT NOT NULL,
	rejected TEXT NOT NULL,
	tie INTEGER NOT NULL,
	selectors TEXT NOT NULL
)`,
	`CREATE TABLE answers (
	id {bytes} NOT NULL,
	owner TEXT NOT NULL,
	scope {bytes},
	vector {bytes},
	body {bytes} NOT NULL,
	size BIGINT NOT NULL,
	made BIGINT NOT NULL,
	expires BIGINT NOT NULL,
	used BIGINT NOT NULL,
	PRIMARY KEY (owner, id)
);
CREATE INDEX answers_scope ON answers (scope, made) WHERE scope IS NOT NULL;
CREATE INDEX answers_used ON answers (used, made, id, owner, size);
CREATE INDEX answers_expires ON answers (expires)`,
	`CREATE TABLE facts (
	seq {serial},
	id TEXT NOT NULL UNIQUE,
	made BIGINT NOT NULL,
	owner TEXT NOT NULL,
	whom TEXT NOT NULL,
	kind TEXT NOT NULL,
	text TEXT NOT NULL,
	vector {bytes},
	embedder {bytes}
);
CREATE INDEX facts_of ON facts (owner, whom)`,
	// kept counts rows: to count a million of them at each that is added takes too long.
	`CREATE TABLE kept (
	owner TEXT NOT NULL PRIMARY KEY,
	votes BIGINT NOT NULL,
	facts BIGINT NOT NULL
);
INSERT INTO kept (owner, votes, facts) SELECT owner, SUM(v), SUM(f) FROM
	(SELECT owner, 1 AS v, 0 AS f FROM votes UNION ALL SELECT owner, 0 AS v, 1 AS f FROM facts) AS entries GROUP BY owner;
CREATE INDEX votes_of ON votes (owner, seq)`,
}

// migrate makes the tables, or brings them up to date. Servers that start at one time do
// it one after the other.
func (s *Store) migrate(ctx context.Context) error {
	types := strings.NewReplacer("{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT", "{bytes}", "BLOB")
	if s.shared {
		types = strings.NewReplacer("{serial}", "BIGSERIAL PRIMARY KEY", "{bytes}", "BYTEA")
	}
	return s.within(ctx, func(tx *sql.Tx) error {
		if s.shared {
			const foundling = 0x666f756e646c696e // a number that other programs are unlikely to lock
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(foundling)); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS foundling (version INTEGER NOT NULL)"); err != nil {
			return err
		}
		var have int
		if err := tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM foundling").Scan(&have); err != nil {
			return err
		}
		if have > len(versions) {
			return fmt.Errorf("its tables are of version %d and this program knows %d: use a newer program or another database", have, len(versions))
		}
		for i, step := range versions[have:] {
			for _, statement := range strings.Split(types.Replace(step), ";") {
				if _, err := tx.ExecContext(ctx, statement); err != nil {
					return fmt.Errorf("making its tables: %w", err)
				}
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO foundling (version) VALUES ($1)", have+i+1); err != nil {
				return err
			}
		}
		return nil
	})
}
