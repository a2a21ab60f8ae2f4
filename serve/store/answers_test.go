package store

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/serve/store/storetest"
)

// cache is what the two kinds have in common.
type cache interface {
	Find(ctx context.Context, owner string, key Key) (*Answer, error)
	Keep(ctx context.Context, a *Answer) error
	Forget(ctx context.Context, owner *string) (int64, error)
}

func keep(t *testing.T, c cache, a *Answer) {
	t.Helper()
	if err := c.Keep(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

// has says whether the answer of a key is there, and checks its body.
func has(t *testing.T, c cache, owner string, key Key, body string) bool {
	t.Helper()
	a, err := c.Find(t.Context(), owner, key)
	if err != nil {
		t.Fatal(err)
	}
	if a != nil && (string(a.Body) != body || a.Key != key || a.Owner != owner || time.Since(a.Made).Abs() > 24*time.Hour) {
		t.Errorf("got %+v, want %q", a, body)
	}
	return a != nil
}

// Two servers that share a cache give each other's answers, those of one owner to that
// owner alone.
func TestSharedAnswers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "answers.db")
	for name, open := range map[string]func(t *testing.T) (a, b cache){
		"sqlite": func(t *testing.T) (a, b cache) {
			return open(t, file).Answers(1 << 20), open(t, file).Answers(1 << 20)
		},
		"postgres": func(t *testing.T) (a, b cache) {
			where := storetest.Postgres(t)
			return open(t, where).Answers(1 << 20), open(t, where).Answers(1 << 20)
		},
		"valkey": func(t *testing.T) (a, b cache) {
			where := storetest.Valkey(t)
			return openValkey(t, where), openValkey(t, where)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := open(t)
			key, other := Key{1}, Key{2}
			body := "\x00\xff not text"
			if has(t, a, "ann", key, "") {
				t.Fatal("an empty cache has an answer")
			}
			keep(t, a, &Answer{Key: key, Owner: "ann", Body: []byte(body)})
			keep(t, a, &Answer{Key: other, Owner: "bob", Body: []byte("of bob")})
			if !has(t, b, "ann", key, body) {
				t.Error("the other server does not find the answer")
			}
			keep(t, b, &Answer{Key: key, Owner: "carl", Body: []byte("of carl")})
			if !has(t, a, "ann", key, body) || !has(t, a, "carl", key, "of carl") {
				t.Error("two owners' answers of one key are not apart")
			}
			if has(t, b, "bob", key, "") || has(t, b, "ann", other, "") {
				t.Error("an owner is given another's answer")
			}
			keep(t, b, &Answer{Key: key, Owner: "ann", Body: []byte("newer")})
			if !has(t, a, "ann", key, "newer") {
				t.Error("an answer is not replaced")
			}
			keep(t, a, &Answer{Key: Key{3}, Owner: "ann", Body: []byte("brief"), TTL: time.Millisecond})
			time.Sleep(20 * time.Millisecond)
			if has(t, b, "ann", Key{3}, "brief") {
				t.Error("an answer is given after its time")
			}
			ann := "ann"
			if n, err := b.Forget(t.Context(), &ann); err != nil || n == 0 {
				t.Errorf("forgetting: got %d, %v", n, err)
			}
			if has(t, a, "ann", key, "") || !has(t, a, "bob", other, "of bob") {
				t.Error("forgetting one owner's answers takes the wrong ones")
			}
			if n, err := a.Forget(t.Context(), nil); err != nil || n != 2 || has(t, b, "bob", other, "") {
				t.Errorf("forgetting all: got %d, %v, want 2", n, err)
			}
		})
	}
}

func openValkey(t *testing.T, where string) *Valkey {
	t.Helper()
	v, err := OpenValkey(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	return v
}

// The answers that were not used for the longest time make room.
func TestAnswersBound(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		now := time.Now()
		s.now = func() time.Time { return now }
		body := bytes.Repeat([]byte("x"), 1000-overhead)
		c := s.Answers(4000)
		for i := range byte(6) {
			keep(t, c, &Answer{Key: Key{i}, Body: body})
			now = now.Add(2 * time.Minute)
			if i == 3 && !has(t, c, "", Key{0}, string(body)) { // used again
				t.Fatal("4 answers do not fit")
			}
			now = now.Add(2 * time.Minute)
		}
		for i, want := range []bool{true, false, false, true, true, true} {
			if got := has(t, c, "", Key{byte(i)}, string(body)); got != want {
				t.Errorf("answer %d is there: got %v, want %v", i, got, want)
			}
		}
		keep(t, c, &Answer{Key: Key{9}, Body: bytes.Repeat(body, 10)})
		if has(t, c, "", Key{9}, "") || !has(t, c, "", Key{5}, string(body)) {
			t.Error("an answer larger than the cache is kept, or takes the place of all")
		}
	})
}

func TestNear(t *testing.T) {
	each(t, func(t *testing.T, s *Store) {
		c := s.Answers(1 << 20)
		unit := func(degrees float64) []float32 {
			y, x := math.Sincos(degrees * math.Pi / 180)
			return []float32{float32(x), float32(y)}
		}
		scope := Key{7}
		keep(t, c, &Answer{Key: Key{0}, Body: []byte("0"), Scope: scope, Vector: unit(0)})
		keep(t, c, &Answer{Key: Key{1}, Body: []byte("20"), Scope: scope, Vector: unit(20)})
		keep(t, c, &Answer{Key: Key{2}, Body: []byte("of another scope"), Scope: Key{8}, Vector: unit(14)})
		keep(t, c, &Answer{Key: Key{3}, Body: []byte("of another owner"), Owner: "bob", Scope: scope, Vector: unit(14)})
		keep(t, c, &Answer{Key: Key{4}, Body: []byte("of another width"), Scope: scope, Vector: []float32{1}})
		keep(t, c, &Answer{Key: Key{5}, Body: []byte("without a vector")})
		for _, q := range []struct {
			degrees float64
			want    string
		}{{0, "0"}, {9, "0"}, {14, "20"}, {29, "20"}, {31, ""}} {
			a, likeness, err := c.Near(t.Context(), "", scope, unit(q.degrees), math.Cos(10*math.Pi/180))
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if a != nil {
				got = string(a.Body)
			}
			if got != q.want || a != nil && likeness < 0.98 {
				t.Errorf("%v degrees: got %q (%v), want %q", q.degrees, got, likeness, q.want)
			}
		}
	})
}

func TestValkeyErrors(t *testing.T) {
	for _, where := range []string{"redis://me:secret@127.0.0.1:1/", "redis://me:secret@127.0.0.1:x/", "redis://me:secret@127.0.0.1:1/y"} {
		v, err := OpenValkey(t.Context(), where)
		if err == nil {
			v.Close()
		}
		if err == nil || bytes.Contains([]byte(err.Error()), []byte("secret")) {
			t.Errorf("%s: got %v, want an error without the password", where, err)
		}
	}
}
