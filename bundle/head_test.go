package bundle_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/tensor/dtype"
)

// TestHeadRoundTrip saves reward models and classifiers and opens them again.
func TestHeadRoundTrip(t *testing.T) {
	b := backend(t, "")
	for _, labels := range [][]string{nil, {"yes", "no", "it depends"}} {
		z := save(t, b, "llama")
		z.Head = model.NewHead(b, z.Model, max(1, len(labels)))
		z.Head.Labels = labels
		z.Head.Init(b, 7)
		if err := z.Save(b, dtype.F32); err != nil {
			t.Fatal(err)
		}
		for name, open := range map[string]func() (*bundle.Bundle, error){
			"Open":       func() (*bundle.Bundle, error) { return bundle.Open(b, z.Dir) },
			"OpenStored": func() (*bundle.Bundle, error) { return bundle.OpenStored(b, z.Dir) },
		} {
			got, err := open()
			if err != nil {
				t.Fatal(err)
			}
			if got.Head == nil || !reflect.DeepEqual(got.Head.Labels, labels) {
				t.Fatalf("%s: head %+v, want labels %q", name, got.Head, labels)
			}
			x, y := make([]float32, z.Head.W.Len()), make([]float32, z.Head.W.Len())
			b.Download(x, z.Head.W.T)
			b.Download(y, got.Head.W.T)
			if !reflect.DeepEqual(x, y) {
				t.Errorf("%s: other weights than were saved", name)
			}
		}
		var config struct {
			Architectures []string
			ID2Label      map[string]string `json:"id2label"`
			Problem       string            `json:"problem_type"`
		}
		data, err := os.ReadFile(filepath.Join(z.Dir, bundle.ConfigFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &config); err != nil {
			t.Fatal(err)
		}
		if config.Architectures[0] != "LlamaForSequenceClassification" || len(config.ID2Label) != len(labels) || config.Problem == "" {
			t.Errorf("config.json says %+v", config)
		}
		if err := bundle.Convert(z.Dir, filepath.Join(t.TempDir(), "m.gguf"), bundle.ConvertOptions{}); err == nil || !strings.Contains(err.Error(), model.HeadName) {
			t.Errorf("conversion of a model with a head: %v, want an error that names it", err)
		}
	}
}

// TestHeadOfAnotherWidth opens a directory whose head does not fit its model.
func TestHeadOfAnotherWidth(t *testing.T) {
	b := backend(t, "")
	z := save(t, b, "gpt2")
	other, err := bundle.Open(b, z.Dir)
	if err != nil {
		t.Fatal(err)
	}
	z.Head = model.NewHead(b, other.Model, 1)
	z.Head.W.Shape = []int{1, z.Head.W.Len() / 2}
	z.Head.W.T = z.Head.W.T.ColRange(0, z.Head.W.Len()/2)
	if err := z.Save(b, dtype.F32); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Open(b, z.Dir); err == nil || !strings.Contains(err.Error(), model.HeadName) {
		t.Errorf("error %v, want one that names %s", err, model.HeadName)
	}
}
