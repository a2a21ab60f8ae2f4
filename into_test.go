package foundling_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling"
)

// A model fills in a struct. This one has random weights, so the values mean
// nothing, but they are of their types.
func ExampleGenerateInto() {
	type city struct {
		Name   string   `json:"name" jsonschema:"the city's name"`
		People int      `json:"people"`
		Rivers []string `json:"rivers,omitempty"`
	}
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	c, err := foundling.GenerateInto[city](context.Background(), m, "A city in Europe:", foundling.Decoding{MaxTokens: 60, Seed: 2})
	if err != nil {
		log.Fatal(err)
	}
	_, whole := any(c.People).(int)
	fmt.Println(whole)
	// Output: true
}

// What there is of a value can be shown while the rest is written.
func ExampleStreamInto() {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	before := ""
	for words, err := range foundling.StreamInto[[]string](context.Background(), m, "Some words:", foundling.Decoding{MaxTokens: 40, Seed: 5}) {
		if err != nil {
			log.Fatal(err)
		}
		if now := strings.Join(words, " "); !strings.HasPrefix(now, before) {
			fmt.Println("what was there is gone")
		} else {
			before = now
		}
	}
	fmt.Println("done")
	// Output: done
}

type everything struct {
	A int8                 `json:"a"`
	B uint64               `json:"b"`
	C float32              `json:"c"`
	D *string              `json:"d"`
	E []byte               `json:"e"`
	F map[string]bool      `json:"f"`
	G struct{ X, Y int }   `json:"g"`
	H [2]float64           `json:"h"`
	I time.Duration        `json:"i,omitempty"`
	J time.Time            `json:"j"`
	K []struct{ S string } `json:"k,omitempty"`
}

// TestGenerateInto fills a struct of many types at many limits and seeds: no text
// fails to decode, and values grow until they are whole.
func TestGenerateInto(t *testing.T) {
	m := wide(t)
	hot := 1.5
	for seed := range uint64(8) {
		d := foundling.Decoding{Seed: seed, Temperature: &hot, MaxTokens: int(seed%4) * 120}
		var last everything
		for v, err := range foundling.StreamInto[everything](context.Background(), m, "Go", d) {
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			last = v
		}
		if last.J.IsZero() {
			t.Errorf("seed %d: no time in %+v", seed, last)
		}
	}
}

// TestGenerateIntoNumbers fills types that are numbers in JSON and none in Go.
func TestGenerateIntoNumbers(t *testing.T) {
	type numbers struct {
		N json.Number `json:"n"`
		I *big.Int    `json:"i"`
		J big.Int     `json:"j"`
	}
	m := wide(t)
	hot := 1.5
	for seed := range uint64(8) {
		if v, err := foundling.GenerateInto[numbers](context.Background(), m, "Go", foundling.Decoding{Seed: seed, Temperature: &hot, MaxTokens: 80}); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		} else if _, err := v.N.Float64(); err != nil {
			t.Errorf("seed %d: %+v: %v", seed, v, err)
		}
	}
}

func TestGenerateIntoErrors(t *testing.T) {
	m, err := foundling.Open(run1, foundling.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx := context.Background()
	if _, err := foundling.GenerateInto[chan int](ctx, m, "x", foundling.Decoding{}); err == nil || !strings.Contains(err.Error(), "chan int has no JSON Schema") {
		t.Errorf("a channel: %v", err)
	}
	type two struct{ A, B int }
	if _, err := foundling.GenerateInto[two](ctx, m, "x", foundling.Decoding{MaxTokens: 5}); err == nil || !strings.Contains(err.Error(), "needs 14 tokens") {
		t.Errorf("5 tokens: %v", err)
	}
	if v, err := foundling.GenerateInto[two](ctx, m, "x", foundling.Decoding{MaxTokens: 14}); err != nil {
		t.Errorf("14 tokens: %+v, %v", v, err)
	}
	if _, err := foundling.GenerateInto[two](ctx, m, "x", foundling.Decoding{Stop: []string{":"}}); err == nil || !strings.Contains(err.Error(), "(stop_string) before the value was whole") {
		t.Errorf("stopped: %v", err)
	}
	if _, err := foundling.GenerateInto[two](ctx, m, "x", foundling.Decoding{Grammar: new(foundling.Grammar)}); err == nil {
		t.Error("a grammar beside the type: no error")
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := foundling.GenerateInto[two](ctx, m, "x", foundling.Decoding{}); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

func TestDecode(t *testing.T) {
	var v struct {
		A int
		B []float64
		C string
		D int64
		E time.Time
	}
	err := foundling.Decode([]byte(`{"A":100,"B":[1.50,-2.0,1e200,0e9],"C":"1.0 \" 2e1","D":-120,"E":"2026-11-25\u005410:00:00Z"}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	if v.A != 100 || v.D != -120 || v.C != `1.0 " 2e1` || !reflect.DeepEqual(v.B, []float64{1.5, -2, 1e200, 0}) || v.E.Hour() != 10 {
		t.Errorf("%+v", v)
	}
}

// wide opens a model like run1 with a context of 600 tokens.
func wide(t *testing.T) *foundling.Model {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wide")
	if err := save(dir, false, 600); err != nil {
		t.Fatal(err)
	}
	m, err := foundling.Open(dir, foundling.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}
