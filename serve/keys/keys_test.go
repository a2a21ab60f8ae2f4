package keys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// add puts a key into a file and returns it with its secret.
func add(t testing.TB, path string, k Key) (Key, string) {
	t.Helper()
	k, secret, err := New(k)
	if err != nil {
		t.Fatal(err)
	}
	if err := Add(path, k, true); err != nil {
		t.Fatal(err)
	}
	return k, secret
}

var infer = []Scope{Infer}

// The file holds no secret, and is its owner's alone.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	one, secret := add(t, path, Key{Name: "one", Scopes: infer, Limits: Limits{Requests: 5}})
	_, other := add(t, path, Key{Name: "one", Scopes: []Scope{Admin}})
	if secret == other || !strings.HasPrefix(secret, prefix) || len(secret) != len(prefix)+43 {
		t.Errorf("secrets %q and %q", secret, other)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Contains(string(text), secret) || strings.Contains(string(text), strings.TrimPrefix(secret, prefix)) {
		t.Errorf("%v: the file shows a secret: %s", err, text)
	}
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	all, err := Read(path)
	if err != nil || len(all) != 2 || fmt.Sprint(all[0]) != fmt.Sprint(one) {
		t.Errorf("got %v, %v, want %v first", all, err, one)
	}
	if _, err := os.Stat(path + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock is left behind: %v", err)
	}
}

// Changes at the same time all count.
func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	var all sync.WaitGroup
	for i := range 5 {
		all.Go(func() { add(t, path, Key{Name: fmt.Sprint("n", i), Scopes: infer}) })
	}
	all.Wait()
	if got, err := Read(path); err != nil || len(got) != 5 {
		t.Errorf("%d keys, %v", len(got), err)
	}
	if err := change(path, func(f *file) error { f.Keys = []Key{{Name: "bad"}}; return nil }); err == nil {
		t.Error("a key without an id was written")
	}
}

// A name is taken from its first key on, whatever became of that, unless the new key is
// said to go on for it.
func TestTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	make := func(name string, again bool) (Key, error) {
		k, _, err := New(Key{Name: name, Scopes: infer})
		if err != nil {
			t.Fatal(err)
		}
		return k, Add(path, k, again)
	}
	revoke := func(k Key) {
		t.Helper()
		if got, err := Revoke(path, k.ID); err != nil || got.ID != k.ID {
			t.Fatalf("revoked %v, %v, want %v", got, err, k)
		}
	}
	past := func(want ...string) {
		t.Helper()
		if f, err := read(path); err != nil || !slices.Equal(f.Past, want) {
			t.Errorf("names of the past: %v, %v, want %v", f.Past, err, want)
		}
	}
	one, err := make("one", false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := make("one", false); !errors.Is(err, ErrTaken) {
		t.Errorf("a second key of a name: %v", err)
	}
	two, err := make("one", true)
	if err != nil {
		t.Fatal(err)
	}
	revoke(one)
	past()
	revoke(two)
	past("one")
	if _, err := make("one", false); !errors.Is(err, ErrTaken) {
		t.Errorf("a key of a name whose keys were revoked: %v", err)
	}
	if _, err := make("other", false); err != nil {
		t.Error(err)
	}
	three, err := make("one", true)
	if err != nil {
		t.Fatal(err)
	}
	past()
	revoke(three)
	past("one")
	if _, err := Revoke(path, three.ID); err == nil {
		t.Error("a key was revoked twice")
	}
	if all, err := Read(path); err != nil || len(all) != 1 {
		t.Errorf("keys: %v, %v", all, err)
	}
}

// Files that are not right are told apart.
func TestRead(t *testing.T) {
	good := strings.Repeat("ab", 32)
	key := func(rest string) string {
		return `{"keys":[{"id":"1","name":"a","sha256":"` + good + `","scopes":["infer"],"created":"2026-01-01T00:00:00Z"` + rest + `}]}`
	}
	one := strings.TrimSuffix(strings.TrimPrefix(key(""), `{"keys":[`), "]}")
	for name, c := range map[string]struct{ text, want string }{
		"good":     {key(""), ""},
		"limits":   {key(`,"requests_per_minute":1,"tokens_per_minute":2,"concurrent":3`), ""},
		"empty":    {`{"keys":[]}`, ""},
		"no JSON":  {"", "not a file of keys"},
		"unknown":  {key(`,"admin":true`), "admin"},
		"limit":    {key(`,"concurrent":-1`), "limit"},
		"scope":    {strings.Replace(key(""), "infer", "root", 1), `"root"`},
		"no scope": {strings.Replace(key(""), `"infer"`, "", 1), "scopes"},
		"hash":     {strings.Replace(key(""), good, "abcd", 1), "sha256"},
		"name":     {strings.Replace(key(""), `"a"`, `"a b"`, 1), "name"},
		"twice":    {`{"keys":[` + one + "," + one + "]}", "twice"},
	} {
		_, err := parse([]byte(c.text))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if runtime.GOOS == "windows" {
		return
	}
	path := filepath.Join(t.TempDir(), "keys.json")
	os.WriteFile(path, []byte(`{"keys":[]}`), 0o600)
	os.Chmod(path, 0o620)
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that the group may write: %v", err)
	}
}

// A running server follows its file.
func TestRing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	one, secret := add(t, path, Key{Name: "one", Scopes: infer, Limits: Limits{Concurrent: 1}})
	_, old := add(t, path, Key{Name: "old", Scopes: infer, Expires: time.Now().Add(-time.Hour)})
	var told []error
	r, err := Open(path, func(err error) { told = append(told, err) })
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]error{secret: nil, old: ErrExpired, "": ErrUnknown, secret[:len(secret)-1]: ErrUnknown, secret + " ": ErrUnknown, one.Hash: ErrUnknown} {
		if h, err := r.Find(given); !errors.Is(err, want) || want == nil && h.ID != one.ID {
			t.Errorf("%q: got %v, %v, want %v", given, h, err, want)
		}
	}
	look := func() { r.looked = time.Time{}; r.look(time.Now()) }
	h, err := r.Find(secret)
	if err != nil {
		t.Fatal(err)
	}
	leave, err := h.Enter(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	_, added := add(t, path, Key{Name: "new", Scopes: infer})
	look()
	if _, err := r.Find(added); err != nil || r.Len() != 3 {
		t.Errorf("a new key: %v, %d keys", err, r.Len())
	}
	if h, err = r.Find(secret); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Enter(time.Now()); err == nil {
		t.Error("a changed file forgets what keys have taken")
	}
	leave(0)
	os.WriteFile(path, []byte("{"), 0o600)
	look()
	look()
	if _, err := r.Find(added); err != nil || len(told) != 1 {
		t.Errorf("a broken file: %v, told %v", err, told)
	}
	os.Remove(path)
	add(t, path, one)
	look()
	if _, err := r.Find(secret); !errors.Is(err, ErrUnknown) || r.Len() != 1 {
		t.Errorf("a revoked key: %v, %d keys", err, r.Len())
	}
}

// Limits hold on average, and what is refused costs nothing.
func TestLimits(t *testing.T) {
	enter := func(h *Holder) (func(int), string, time.Duration) {
		leave, err := h.Enter(time.Now())
		var limit *LimitError
		if errors.As(err, &limit) {
			return nil, limit.What, limit.After
		}
		return leave, "", 0
	}
	holder := func(l Limits) *Holder { return &Holder{use: newUse(l)} }
	t.Run("requests", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := holder(Limits{Requests: 30})
			let := 0
			for range 120 * 10 { // two minutes
				if leave, _, _ := enter(h); leave != nil {
					leave(0)
					let++
				}
				time.Sleep(100 * time.Millisecond)
			}
			if let < 89 || let > 91 { // 30 at once, 30 a minute
				t.Errorf("%d requests in two minutes", let)
			}
			enter(h)
			if _, what, after := enter(h); what != "requests_per_minute" || after <= 0 || after > 2*time.Second {
				t.Errorf("refused by %q, again in %v", what, after)
			}
		})
	})
	t.Run("tokens", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := holder(Limits{Tokens: 600})
			taken := 0
			for range 10 * 60 { // ten minutes
				for {
					leave, what, after := enter(h)
					if leave == nil {
						if what != "tokens_per_minute" || after <= 0 {
							t.Fatalf("refused by %q, again in %v", what, after)
						}
						break
					}
					leave(1000) // more than a minute's worth
					taken += 1000
				}
				time.Sleep(time.Second)
			}
			if taken < 6000 || taken > 8000 { // 600 at once, 600 a minute, the last one over
				t.Errorf("%d tokens in ten minutes", taken)
			}
			if l := h.Left(time.Now()); l.Tokens != 0 || l.Requests != -1 {
				t.Errorf("left %+v", l)
			}
		})
	})
	t.Run("concurrent", func(t *testing.T) {
		h := holder(Limits{Concurrent: 2})
		first, _, _ := enter(h)
		enter(h)
		if _, what, _ := enter(h); what != "concurrent" {
			t.Errorf("the third is refused by %q", what)
		}
		first(5)
		if leave, what, _ := enter(h); leave == nil {
			t.Errorf("after one has gone the next is refused by %q", what)
		}
	})
	t.Run("none", func(t *testing.T) {
		h := holder(Limits{})
		for range 1000 {
			if leave, what, _ := enter(h); leave == nil {
				t.Fatalf("refused by %q", what)
			}
		}
	})
}

// Whatever is read as a file of keys can be written, and is the same again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"keys":[{"id":"1","name":"a","sha256":"` + strings.Repeat("0f", 32) + `","scopes":["infer","admin"],"requests_per_minute":3,"created":"2026-01-01T00:00:00Z","expires":"2027-01-01T00:00:00Z"}]}`))
	f.Add([]byte(`{"keys":[],"past_names":["a"]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parse(data)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := change(path, func(f *file) error { *f = all; return nil }); err != nil {
			t.Skip(err) // years beyond 9999
		}
		again, err := read(path)
		if err != nil || len(again.Keys) != len(all.Keys) || !slices.Equal(again.Past, all.Past) {
			t.Fatalf("%v became %v, %v", all, again, err)
		}
		for i, k := range all.Keys {
			if got := again.Keys[i]; got.ID != k.ID || got.Hash != k.Hash || got.Limits != k.Limits || !got.Expires.Equal(k.Expires) || !k.Allows(k.Scopes[0]) {
				t.Errorf("got %v, want %v", got, k)
			}
		}
	})
}
