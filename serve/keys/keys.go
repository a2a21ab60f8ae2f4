// Package keys is who may use a server: API keys in a file, what each allows, and how
// much of it.
//
// A key is 32 random bytes that its owner sees once. The file holds its SHA-256, which
// lets nobody in: a search for the bytes behind it is hopeless, so a slow hash of
// passwords is not needed. Ring is the file as a running server uses it: it follows
// changes of the file, and counts what each key takes.
//
// Not here: HTTP (serve), the commands that change the file (cmd/foundling).
package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Scope is a kind of request that a key allows.
type Scope string

// The scopes. Admin holds the others.
const (
	Infer   Scope = "infer"   // texts, scores, lists of models
	Memory  Scope = "memory"  // what the server remembers of users
	Metrics Scope = "metrics" // figures for Prometheus
	Admin   Scope = "admin"   // what is served, what others left behind
)

// Scopes is all of them.
var Scopes = []Scope{Infer, Memory, Metrics, Admin}

// Key is a key, without its secret.
type Key struct {
	ID     string  `json:"id"`   // to name it by: chance
	Name   string  `json:"name"` // whose it is; several keys may have one name
	Hash   string  `json:"sha256"`
	Scopes []Scope `json:"scopes"`
	Limits
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// Limits are how much a key may take; 0: no limit.
type Limits struct {
	Requests   int `json:"requests_per_minute,omitzero"`
	Tokens     int `json:"tokens_per_minute,omitzero"` // of prompts and texts
	Concurrent int `json:"concurrent,omitzero"`        // requests at a time
}

// Allows says whether the key has a scope.
func (k *Key) Allows(s Scope) bool {
	return slices.Contains(k.Scopes, s) || slices.Contains(k.Scopes, Admin)
}

// prefix lets people, and programs that look for secrets in files, see what a key is.
const prefix = "foundling_"

// maxName bounds names in characters.
const maxName = 64

// check says what is wrong with a key.
func (k *Key) check() error {
	digest, err := hex.DecodeString(k.Hash)
	switch {
	case k.ID == "":
		return fmt.Errorf("id: it is empty")
	case k.Name == "" || len(k.Name) > maxName || strings.ContainsFunc(k.Name, func(r rune) bool { return r < '!' || r > '~' }):
		return fmt.Errorf("name %q: it must be 1 to %d visible ASCII characters", k.Name, maxName)
	case err != nil || len(digest) != sha256.Size:
		return fmt.Errorf("sha256: it must be %d hexadecimal digits", 2*sha256.Size)
	case len(k.Scopes) == 0:
		return fmt.Errorf("scopes: a key without one opens nothing: give it %s", list(Scopes))
	case k.Requests < 0 || k.Tokens < 0 || k.Concurrent < 0:
		return fmt.Errorf("a limit is negative: it must be positive, or 0 for none")
	}
	for _, s := range k.Scopes {
		if !slices.Contains(Scopes, s) {
			return fmt.Errorf("scope %q: there are %s", s, list(Scopes))
		}
	}
	return nil
}

func list(scopes []Scope) string {
	var names []string
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// New makes a key and its secret. ID, Hash and Created of k are filled in.
func New(k Key) (Key, string, error) {
	var secret [32]byte
	rand.Read(secret[:]) // never fails
	text := prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	var id [5]byte
	rand.Read(id[:])
	k.ID, k.Hash = hex.EncodeToString(id[:]), hash(text)
	k.Created = time.Now().UTC().Truncate(time.Second)
	return k, text, k.check()
}

func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// file is the JSON of a key file.
type file struct {
	Keys []Key `json:"keys"`
	// Past is the names that keys had which were revoked and that no key has now: what
	// servers keep for a name outlives its keys.
	Past []string `json:"past_names,omitempty"`
}

// ErrTaken is what Add returns for the name of another key, be it one that was revoked.
var ErrTaken = errors.New("a key of this name is there or was: a new one sees the votes, facts and answers that are kept for it")

// Add puts a key into a file, or makes the file. With again the name may be another's.
func Add(path string, k Key, again bool) error {
	return change(path, func(f *file) error {
		taken := slices.Contains(f.Past, k.Name) || slices.ContainsFunc(f.Keys, func(o Key) bool { return o.Name == k.Name })
		if taken && !again {
			return fmt.Errorf("%s: %w", k.Name, ErrTaken)
		}
		f.Keys = append(f.Keys, k)
		f.Past = slices.DeleteFunc(f.Past, func(name string) bool { return name == k.Name })
		return nil
	})
}

// Revoke deletes the key of an id and returns it.
func Revoke(path, id string) (k Key, err error) {
	err = change(path, func(f *file) error {
		i := slices.IndexFunc(f.Keys, func(o Key) bool { return o.ID == id })
		if i < 0 {
			return fmt.Errorf("no key has the id %s", id)
		}
		k = f.Keys[i]
		f.Keys = slices.Delete(f.Keys, i, i+1)
		if !slices.ContainsFunc(f.Keys, func(o Key) bool { return o.Name == k.Name }) && !slices.Contains(f.Past, k.Name) {
			f.Past = append(f.Past, k.Name)
		}
		return nil
	})
	return k, err
}

// Read reads the keys of a file. It must not be writable by others than its owner.
func Read(path string) ([]Key, error) {
	f, err := read(path)
	return f.Keys, err
}

func read(path string) (file, error) {
	f, err := os.Open(path)
	if err != nil {
		return file{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return file{}, err
	}
	if m := info.Mode().Perm(); m&0o022 != 0 && runtime.GOOS != "windows" {
		return file{}, fmt.Errorf("%s: others than its owner may change it (mode %#o): chmod 600 %s", path, m, path)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		return file{}, fmt.Errorf("%s: %w", path, err)
	}
	all, err := parse(data)
	if err != nil {
		return file{}, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func parse(data []byte) (file, error) {
	var f file
	if err := json.Unmarshal(data, &f, json.RejectUnknownMembers(true)); err != nil {
		return file{}, fmt.Errorf("not a file of keys: %w", err)
	}
	seen := map[string]bool{}
	for i := range f.Keys {
		k := &f.Keys[i]
		if err := k.check(); err != nil {
			return file{}, fmt.Errorf("key %d: %w", i+1, err)
		}
		if seen[k.ID] || seen[k.Hash] {
			return file{}, fmt.Errorf("key %d: it is there twice", i+1)
		}
		seen[k.ID], seen[k.Hash] = true, true
	}
	return f, nil
}

// change rewrites a key file, or makes it, while no other process does.
func change(path string, edit func(*file) error) error {
	lock := path + ".lock"
	l, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0o600)
	for tries := 0; os.IsExist(err) && tries < 50; tries++ {
		time.Sleep(100 * time.Millisecond)
		l, err = os.OpenFile(lock, os.O_CREATE|os.O_EXCL, 0o600)
	}
	if os.IsExist(err) {
		return fmt.Errorf("%s: another process changes the keys; if none does, delete this file", lock)
	}
	if err != nil {
		return err
	}
	defer os.Remove(lock)
	defer l.Close()
	all, err := read(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := edit(&all); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.MarshalWrite(&b, all, jsontext.WithIndent("  "), json.FormatNilSliceAsNull(false)); err != nil {
		return err
	}
	b.WriteByte('\n')
	if _, err := parse(b.Bytes()); err != nil {
		return err
	}
	return atomicfile.WritePrivate(path, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
}
