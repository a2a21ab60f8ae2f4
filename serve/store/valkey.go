package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/valkey-io/valkey-go"
)

// ErrNoNear is what a cache returns that finds answers to the same request alone.
var ErrNoNear = errors.New("a Valkey server keeps answers for the same request alone: those for like ones need a SQL database")

// Valkey is answers in a Valkey or Redis server. How much memory they may take, and which
// go first, is the server's to say: maxmemory and maxmemory-policy, where allkeys-lru
// fits.
type Valkey struct{ c valkey.Client }

// prefix begins all keys: those of others in the same server are left alone.
const prefix = "foundling:answer:"

// IsValkey says that where names a Valkey or Redis server.
func IsValkey(where string) bool {
	scheme, _, ok := strings.Cut(where, "://")
	switch scheme {
	case "redis", "rediss", "valkey", "valkeys", "unix":
		return ok
	}
	return false
}

// OpenValkey opens a cache: where is redis://, valkey:// or, with TLS, rediss:// or
// valkeys://USER:PASSWORD@HOST:PORT/DATABASE, or unix://PATH.
func OpenValkey(ctx context.Context, where string) (*Valkey, error) {
	o, err := valkey.ParseURL(where)
	if err != nil {
		return nil, fmt.Errorf("%s: it is no address: redis://HOST:PORT is one", Redacted(where))
	}
	o.DisableCache = true // of this process: others change what it would hold
	if o.Dialer.Timeout == 0 {
		o.Dialer.Timeout = 5 * time.Second
	}
	c, err := valkey.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Redacted(where), err)
	}
	v := &Valkey{c}
	if err := c.Do(ctx, c.B().Ping().Build()).Error(); err != nil {
		c.Close()
		return nil, fmt.Errorf("%s: %w", Redacted(where), err)
	}
	return v, nil
}

// of is the beginning of the keys of an owner: a hash, for a name may hold anything.
func of(owner string) string {
	h := sha256.Sum256([]byte(owner))
	return fmt.Sprintf("%s%x:", prefix, h[:8])
}

// name is where an answer lies.
func (v *Valkey) name(owner string, key Key) string { return fmt.Sprintf("%s%x", of(owner), key[:]) }

// Find is an owner's answer of a key, nil if there is none.
func (v *Valkey) Find(ctx context.Context, owner string, key Key) (*Answer, error) {
	b, err := v.c.Do(ctx, v.c.B().Get().Key(v.name(owner, key)).Build()).AsBytes()
	switch {
	case valkey.IsValkeyNil(err):
		return nil, nil
	case err != nil:
		return nil, err
	case len(b) < 8:
		return nil, errors.New("an answer in the server is cut short")
	}
	return &Answer{Key: key, Owner: owner, Made: time.UnixMilli(int64(binary.LittleEndian.Uint64(b))), Body: b[8:]}, nil
}

// Keep adds an answer, in the place of one of the same key.
func (v *Valkey) Keep(ctx context.Context, a *Answer) error {
	value := append(binary.LittleEndian.AppendUint64(nil, uint64(time.Now().UnixMilli())), a.Body...)
	set := v.c.B().Set().Key(v.name(a.Owner, a.Key)).Value(valkey.BinaryString(value))
	if a.TTL <= 0 {
		return v.c.Do(ctx, set.Build()).Error()
	}
	return v.c.Do(ctx, set.PxMilliseconds(max(1, a.TTL.Milliseconds())).Build()).Error()
}

// Near is for other caches.
func (v *Valkey) Near(context.Context, string, Key, []float32, float64) (*Answer, float64, error) {
	return nil, 0, ErrNoNear
}

// Forget takes away the answers of an owner, or all where it is nil, and says how many.
func (v *Valkey) Forget(ctx context.Context, owner *string) (int64, error) {
	which := prefix + "*"
	if owner != nil {
		which = of(*owner) + "*"
	}
	var n int64
	for cursor := uint64(0); ; {
		page, err := v.c.Do(ctx, v.c.B().Scan().Cursor(cursor).Match(which).Count(1000).Build()).AsScanEntry()
		if err != nil {
			return n, err
		}
		if len(page.Elements) > 0 {
			gone, err := v.c.Do(ctx, v.c.B().Unlink().Key(page.Elements...).Build()).AsInt64()
			if n += gone; err != nil {
				return n, err
			}
		}
		if cursor = page.Cursor; cursor == 0 {
			return n, nil
		}
	}
}

// Close ends the use of the server.
func (v *Valkey) Close() error {
	v.c.Close()
	return nil
}
