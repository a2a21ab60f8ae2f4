package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"os"
	"sync"
	"time"
)

// Why a secret does not let in.
var (
	ErrUnknown = errors.New("the API key is not known here")
	ErrExpired = errors.New("the API key has expired")
)

// lookEvery is how often the file is looked at for changes.
const lookEvery = time.Second

// Ring is the keys of a running server.
type Ring struct {
	path   string
	failed func(error) // told of a file that has become unreadable

	mu     sync.Mutex
	keys   []*Holder
	file   os.FileInfo
	looked time.Time
}

// Open reads the keys of a file and follows its changes: a key that is added opens, one
// that is revoked does not, within a second. When the file cannot be read any more the
// keys stay, and failed is told, if it is not nil.
func Open(path string, failed func(error)) (*Ring, error) {
	r := &Ring{path: path, failed: failed}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	all, err := Read(path)
	if err != nil {
		return nil, err
	}
	r.file, r.looked = info, time.Now()
	r.replace(all)
	return r, nil
}

// Len is the number of keys.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Find is the key of a secret. How long it takes does not depend on which key it is, or
// how much of it is right.
func (r *Ring) Find(secret string) (*Holder, error) {
	sum := sha256.Sum256([]byte(secret))
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.look(now)
	var found *Holder
	for _, h := range r.keys {
		if subtle.ConstantTimeCompare(sum[:], h.sum[:]) == 1 {
			found = h
		}
	}
	switch {
	case found == nil:
		return nil, ErrUnknown
	case !found.Expires.IsZero() && now.After(found.Expires):
		return nil, ErrExpired
	}
	return found, nil
}

// look reads the file again if it has changed.
func (r *Ring) look(now time.Time) {
	if now.Sub(r.looked) < lookEvery {
		return
	}
	r.looked = now
	info, err := os.Stat(r.path)
	if err == nil && r.file != nil && os.SameFile(info, r.file) && info.ModTime().Equal(r.file.ModTime()) && info.Size() == r.file.Size() {
		return
	}
	var all []Key
	if err == nil {
		all, err = Read(r.path)
	}
	if err != nil {
		if r.file != nil && r.failed != nil { // once
			r.failed(err)
		}
		r.file = nil
		return
	}
	r.file = info
	r.replace(all)
}

// replace takes new keys. Those that were there go on with what they have used.
func (r *Ring) replace(all []Key) {
	before := map[string]*Holder{}
	for _, h := range r.keys {
		before[h.ID] = h
	}
	r.keys = nil
	for _, k := range all {
		h := &Holder{Key: k, use: newUse(k.Limits)}
		hex.Decode(h.sum[:], []byte(k.Hash)) // checked when it was read
		if old := before[k.ID]; old != nil && old.Limits == k.Limits {
			h.use = old.use
		}
		r.keys = append(r.keys, h)
	}
}
