package schema

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/foundling-lm/foundling/generate/grammar/machine"
	"github.com/foundling-lm/foundling/generate/grammar/shape"
	"github.com/foundling-lm/foundling/internal/golden"
)

// A score counts the tests of a suite or of a group of one.
type score struct {
	Tests           int `json:"tests"`
	Refused         int `json:"refused"`          // the schema was refused
	ValidRejected   int `json:"valid_rejected"`   // of the other tests
	InvalidAccepted int `json:"invalid_accepted"` // of the other tests
	Schemas         int `json:"schemas,omitempty"`
	Compiled        int `json:"compiled,omitempty"`
	Pass            int `json:"pass,omitempty"` // schemas with all tests right
}

func (s *score) right() int { return s.Tests - s.Refused - s.ValidRejected - s.InvalidAccepted }

// full says that every test is right.
func (s *score) full() bool { return s.right() == s.Tests }

// ratchet compares scores with those of testdata/name. A step back fails; a step
// forward asks for the new numbers.
func ratchet(t *testing.T, name string, got map[string]*score) {
	path := filepath.Join("testdata", name)
	want := map[string]*score{}
	if b, err := os.ReadFile(path); err == nil {
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
	} else if !*golden.Update {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if *golden.Update {
		for k, s := range got {
			want[k] = s
		}
		b, err := json.MarshalIndent(want, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	for k, s := range got {
		w := want[k]
		switch {
		case w == nil:
			t.Errorf("%s: no score in %s; run the test with -update", k, path)
		case s.ValidRejected > w.ValidRejected || s.InvalidAccepted > w.InvalidAccepted || s.right() < w.right() || s.Pass < w.Pass || s.Tests != w.Tests:
			t.Errorf("%s: a step back: %+v, was %+v", k, *s, *w)
		case *s != *w:
			t.Errorf("%s: better: %+v, was %+v; run the test with -update", k, *s, *w)
		}
	}
}

// A judge is a compiled schema, or why there is none. A schema without values refuses
// everything.
type judge struct {
	start machine.State
	empty bool
	err   error
}

func compileJudge(src []byte, o Options) *judge {
	s, err := Compile(src, o)
	if errors.Is(err, ErrEmpty) {
		return &judge{empty: true}
	}
	if err != nil {
		return &judge{err: err}
	}
	m, err := s.Machine(shape.Format{})
	return &judge{start: m, err: err}
}

// accepts judges a JSON text.
func (j *judge) accepts(text []byte) bool {
	if j.empty {
		return false
	}
	ok, _ := machine.Accepts(j.start, text)
	return ok
}

// count adds the tests of a schema.
func (s *score) count(j *judge, valid bool, text []byte) (right bool) {
	s.Tests++
	switch {
	case j.err != nil:
		s.Refused++
		return false
	case j.accepts(text) == valid:
		return true
	case valid:
		s.ValidRejected++
	default:
		s.InvalidAccepted++
	}
	return false
}
