package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/model/checkpoint"
	"github.com/foundling-lm/foundling/model/hub"
)

// modelsCmd is the local store of models.
type modelsCmd struct {
	List modelsListCmd `cmd:"" default:"withargs" help:"List the models of the store."`
	Path modelsPathCmd `cmd:"" help:"Print where a model lies."`
	Rm   modelsRmCmd   `cmd:"" help:"Delete a model."`
}

type modelsListCmd struct {
	JSON bool `name:"json" help:"Print one JSON object a line."`
	storeFlags
}

// Help is the detail of --help.
func (modelsListCmd) Help() string {
	return `Examples:

    foundling models
    foundling models --json
    foundling models path SmolLM2-135M-Instruct
    foundling models rm HuggingFaceTB/SmolLM2-135M-Instruct`
}

// listedModel is a line of the list.
type listedModel struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	Family string `json:"family"` // "" where the files do not tell
	Type   string `json:"type"`   // number format that a GGUF file's name tells, else that of most of the weights; or ""
	Commit string `json:"commit,omitempty"`
	Pulled string `json:"pulled,omitempty"`
	Path   string `json:"path"`
}

// Run prints the list.
func (c *modelsListCmd) Run() error {
	s, err := c.store()
	if err != nil {
		return err
	}
	models, err := s.List()
	if err != nil {
		return err
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		for _, m := range models {
			if err := e.Encode(describeModel(m)); err != nil {
				return err
			}
		}
		return nil
	}
	if len(models) == 0 {
		fmt.Fprintf(os.Stderr, "no models in %s: foundling pull OWNER/NAME gets one\n", s.Dir)
		return nil
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "name\tsize\tfamily\ttype")
	for _, m := range models {
		d := describeModel(m)
		fmt.Fprintf(w, "%s\t%.1f MB\t%s\t%s\n", d.Name, float64(d.Bytes)/1e6, d.Family, d.Type)
	}
	return w.Flush()
}

// describeModel reads what the headers of a model's files say.
func describeModel(m hub.Model) listedModel {
	d := listedModel{Name: m.Name, Bytes: m.Bytes, Commit: m.Commit, Path: m.Path, Type: typeOfName(m.Path)}
	if !m.Pulled.IsZero() {
		d.Pulled = m.Pulled.Format("2006-01-02T15:04:05Z")
	}
	if config, err := os.ReadFile(filepath.Join(m.Path, bundle.ConfigFile)); err == nil {
		var c struct {
			Family string `json:"model_type"`
		}
		if json.Unmarshal(config, &c) == nil {
			d.Family = c.Family
		}
	}
	f, err := checkpoint.Open(m.Path)
	if err != nil {
		return d // the command that uses it says what is wrong
	}
	defer f.Close()
	if d.Family == "" {
		d.Family, _ = f.GGUF()["general.architecture"].(string)
	}
	if d.Type != "" {
		return d
	}
	bytes := map[string]int{}
	for _, name := range f.Names() {
		t, _ := f.Tensor(name)
		if bytes[t.Stored] += len(t.Data); d.Type == "" || bytes[t.Stored] > bytes[d.Type] {
			d.Type = t.Stored
		}
	}
	return d
}

var typeInName = regexp.MustCompile(`(?i)[-._]((?:iq|q|tq)\d_[a-z0-9_]+|mxfp4|bf16|f16|f32)(?:-\d{5}-of-\d{5})?\.gguf$`)

// typeOfName is the number format that the name of a GGUF file tells.
func typeOfName(path string) string {
	if m := typeInName.FindStringSubmatch(filepath.Base(path)); m != nil {
		return strings.ToUpper(m[1])
	}
	return ""
}

type modelsPathCmd struct {
	Name string `arg:"" help:"OWNER/NAME, OWNER/NAME:FILE, or a part of them that only one model has." placeholder:"NAME"`
	storeFlags
}

// Run prints the path.
func (c *modelsPathCmd) Run() error {
	s, err := c.store()
	if err != nil {
		return err
	}
	m, err := s.Find(c.Name)
	if err != nil {
		return err
	}
	fmt.Println(m.Path)
	return nil
}

type modelsRmCmd struct {
	Name string `arg:"" help:"OWNER/NAME or OWNER/NAME:FILE, in full." placeholder:"NAME"`
	storeFlags
}

// Run deletes the model of exactly that name.
func (c *modelsRmCmd) Run() error {
	s, err := c.store()
	if err != nil {
		return err
	}
	m, err := s.Find(c.Name)
	if err != nil {
		return err
	}
	if m.Name != c.Name {
		return usageError{fmt.Errorf("to delete it, give the name in full: foundling models rm %s", m.Name)}
	}
	if err := s.Remove(m); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s: %.1f MB deleted\n", m.Name, float64(m.Bytes)/1e6)
	return nil
}
