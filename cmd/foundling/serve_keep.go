package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
)

// keepFlags say what a server remembers and where.
type keepFlags struct {
	Database string        `help:"Where votes and facts about users are kept: a file, or postgres://USER:PASSWORD@HOST/NAME for several servers; none: nowhere. Default: foundling/serve.db in the user's data directory." placeholder:"PLACE"`
	Answers  string        `help:"Keep answers, for requests that come again: in the database, or in a Valkey or Redis server (redis://HOST:PORT). Only those that nothing is drawn for or that have a seed, unless a request says \"cache\":\"always\"." placeholder:"database|URL"`
	Size     *byteSize     `name:"answers-size" help:"How much the answers in the database may take; those that were not asked for the longest time are the first to go. Default: 256M." placeholder:"BYTES"`
	TTL      time.Duration `name:"answers-ttl" help:"How long an answer is given again; 0: as long as there is room." placeholder:"DURATION"`
	Likeness float64       `name:"answers-likeness" help:"Give an answer to questions that are so much like its own too, 0 to 1 (the cosine between hidden states, less the usual ones), where all else is the same; 0: to none." placeholder:"X"`

	FactsPerKey int64 `help:"Facts that are kept for a key at most, about all its users; of one user there are 1000 at most." default:"10000"`
	VotesPerKey int64 `help:"Votes that are kept of a key at most." default:"1000000"`
}

const defaultAnswersSize = 256 << 20

// Validate is called by kong.
func (f keepFlags) Validate() error {
	remote := store.IsValkey(f.Answers)
	switch {
	case f.Answers != "" && f.Answers != "database" && !remote:
		return fmt.Errorf("--answers is %q: it must be database or an address like redis://HOST:PORT", f.Answers)
	case f.Answers == "database" && f.Database == "none":
		return errors.New("--answers are to be in the database and --database is none: give one")
	case f.Answers == "" && (f.Size != nil || f.TTL != 0 || f.Likeness != 0):
		return errors.New("--answers-size, --answers-ttl and --answers-likeness need --answers: no answers are kept without")
	case remote && f.Size != nil:
		return errors.New("--answers-size is for the database: the room of a Valkey or Redis server is its own maxmemory, with maxmemory-policy allkeys-lru")
	case remote && f.Likeness != 0:
		return errors.New("--answers-likeness is for the database: a Valkey or Redis server gives answers to the same request alone")
	case f.Size != nil && *f.Size == 0:
		return errors.New("--answers-size is 0: leave it out for its default, or --answers to keep none")
	case f.FactsPerKey < 1 || f.VotesPerKey < 1:
		return errors.New("--facts-per-key and --votes-per-key must be 1 or more")
	case f.TTL < 0:
		return fmt.Errorf("--answers-ttl is %v: it must be positive, or 0", f.TTL)
	case !(f.Likeness >= 0 && f.Likeness <= 1):
		return fmt.Errorf("--answers-likeness is %v: it must lie between 0 and 1", f.Likeness)
	}
	return nil
}

// fill sets what was left out to the default that applies.
func (f *keepFlags) fill() (err error) {
	if f.Database == "" {
		f.Database, err = defaultDatabase()
	}
	if f.Size == nil && f.Answers == "database" {
		f.Size = new(byteSize(defaultAnswersSize))
	}
	return err
}

// open opens what the server is to remember in. Shut closes it. On trial a database that
// is not there yet is made beside its place, and is gone after shut.
func (f keepFlags) open(ctx context.Context, o *serve.Options, trial bool) (shut func(), err error) {
	var closers []func() error
	shut = func() {
		for _, c := range slices.Backward(closers) {
			c() // what was acknowledged is on disk
		}
	}
	if trial && f.Database != "none" && !store.Exists(f.Database) {
		dir, err := os.MkdirTemp(nearest(f.Database), ".foundling-check-")
		if err != nil {
			return nil, fmt.Errorf("--database: %w", err)
		}
		closers = append(closers, func() error { return os.RemoveAll(dir) })
		f.Database = filepath.Join(dir, "serve.db")
	}
	if o.Store, err = openDatabase(ctx, f.Database); err != nil {
		shut()
		return nil, err
	}
	if o.Store != nil {
		closers = append(closers, o.Store.Close)
		o.Store.Bounds = store.Bounds{Facts: f.FactsPerKey, Votes: f.VotesPerKey}
	}
	o.Caching = serve.Caching{TTL: f.TTL, Likeness: f.Likeness}
	switch {
	case f.Answers == "":
	case f.Answers == "database":
		o.Caching.Cache = o.Store.Answers(int64(*f.Size))
	default:
		v, err := store.OpenValkey(ctx, f.Answers)
		if err != nil {
			shut()
			return nil, fmt.Errorf("--answers: %w", err)
		}
		o.Caching.Cache, closers = v, append(closers, v.Close)
	}
	return shut, nil
}

// nearest is the folder of a path, or the lowest above it that there is.
func nearest(path string) string {
	dir := filepath.Dir(path)
	for {
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// defaultDatabase is the file of who names none.
func defaultDatabase() (string, error) {
	dir, err := dataDir(runtime.GOOS, os.Getenv, os.UserHomeDir)
	if err != nil {
		return "", usageError{fmt.Errorf("there is no folder for the database: give --database: %w", err)}
	}
	return filepath.Join(dir, "foundling", "serve.db"), nil
}

// openDatabase opens what --database names, nil for none.
func openDatabase(ctx context.Context, where string) (*store.Store, error) {
	if where == "none" {
		return nil, nil
	}
	db, err := store.Open(ctx, where)
	if err != nil {
		return nil, fmt.Errorf("--database (none: do without): %w", err)
	}
	return db, nil
}
