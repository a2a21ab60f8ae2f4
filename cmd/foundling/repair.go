package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/foundling-lm/foundling/generate/repair"
	"github.com/foundling-lm/foundling/generate/search"
)

type repairCmd struct {
	File     string `arg:"" help:"Text to repair; - is standard input."`
	Schema   string `type:"filled" help:"JSON Schema that the result must fit. It guides JSON: numbers written as text, keys and enum values in another case, defaults of required properties." placeholder:"S.json"`
	YAML     bool   `name:"yaml" help:"The text is YAML."`
	JSON     bool   `name:"json" help:"Print one object instead of the text: text, changes (byte offset, kind, before, after), confidence."`
	MaxBytes int    `help:"Refuse longer texts; 0 is 16 MiB, for YAML 64 KiB." placeholder:"N"`
}

// Help is the detail of --help.
func (repairCmd) Help() string {
	return `Prints the repaired text; what was changed goes to standard error, a line a change:
byte offset, kind, before, after. Text that is valid already is printed as it is. Exit
code 0: valid or repaired; 1: not repairable, or it does not fit the schema.

The confidence is the share of right repairs among those with the same kinds of changes,
measured over corruptions of documents. Nothing is invented: a value that is missing
becomes null, and a text that was cut off is closed, not continued.

Examples:

    echo "{'a': [1, 2,], b: None" | foundling repair -
    foundling repair --schema person.json answer.txt > person-1.json
    foundling repair --yaml --json config.yml | jq .changes
    foundling generate --model m --prompt "..." | foundling repair - 2>/dev/null`
}

// Validate is called by kong.
func (c *repairCmd) Validate() error {
	if c.MaxBytes < 0 {
		return errors.New("--max-bytes must be positive, or 0 for the default")
	}
	return nil
}

// Run repairs one text.
func (c *repairCmd) Run() error {
	o := repair.Options{MaxBytes: c.MaxBytes}
	if c.Schema != "" {
		var err error
		if o.Schema, err = readSchema(c.Schema); err != nil {
			return usageError{fmt.Errorf("--schema: %w", err)}
		}
	}
	text, err := c.read()
	if err != nil {
		return err
	}
	mend := repair.JSON
	if c.YAML {
		mend = repair.YAML
	}
	r, err := mend(text, o)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	if c.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetEscapeHTML(false)
		return e.Encode(r)
	}
	for _, x := range r.Changes {
		fmt.Fprintf(os.Stderr, "%d\t%s\t%s\t%s\n", x.Offset, x.Kind, shortened(x.Before), shortened(x.After))
	}
	if len(r.Changes) > 0 {
		fmt.Fprintf(os.Stderr, "confidence %.2f\n", r.Confidence)
	}
	_, err = os.Stdout.WriteString(r.Text)
	return err
}

// read is the text of the file or of standard input. One byte above the limit
// is enough to refuse it.
func (c *repairCmd) read() (string, error) {
	in := os.Stdin
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return "", err
		}
		defer f.Close()
		in = f
	}
	limit := c.MaxBytes
	if limit == 0 {
		limit = 16 << 20
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(limit)+1))
	return string(b), err
}

// shortened quotes a text for one line of the log.
func shortened(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%.*q... (%d bytes)", most, s, len(s))
	}
	return fmt.Sprintf("%q", s)
}

// readSchema compiles the JSON Schema of a file. References to other files and
// to the network are errors.
func readSchema(path string) (*jsonschema.Schema, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	x, err := search.CompileSchema(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return x, nil
}
