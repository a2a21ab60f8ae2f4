package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"text/tabwriter"

	"github.com/foundling-lm/foundling/text/dataset/near"
	"github.com/foundling-lm/foundling/train/posttrain"
)

// attempts is the file that attempts are added to: what they depend on, and then
// an attempt a line, in the order of their numbers.
type attempts struct{ *os.File }

// openAttempts reads the attempts of a file, or begins it. The end of a line that
// was being written when the program was killed is cut off.
func openAttempts(path string, head attemptsHead) (*attempts, []posttrain.Attempt, error) {
	first, err := json.Marshal(head)
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	var made []posttrain.Attempt
	for i, line := range bytes.Split(bytes.TrimSuffix(whole, []byte("\n")), []byte("\n")) {
		if len(whole) == 0 {
			break
		}
		if i == 0 {
			if !bytes.Equal(line, first) {
				return nil, nil, usageError{fmt.Errorf("%s holds attempts of another model, other prompts or other options: name another --out, or remove it\nthere: %s\nhere:  %s", path, line, first)}
			}
			continue
		}
		var a posttrain.Attempt
		if err := json.Unmarshal(line, &a); err != nil || a.Number != len(made) {
			return nil, nil, fmt.Errorf("%s:%d is not attempt %d: remove the file to begin again (%v)", path, i+1, len(made), err)
		}
		made = append(made, a)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, nil, fmt.Errorf("--out: %w", err)
	}
	out := &attempts{f}
	err = f.Truncate(int64(len(whole)))
	if err == nil {
		_, err = f.Seek(0, io.SeekEnd)
	}
	if err == nil && len(whole) == 0 {
		_, err = f.Write(append(first, '\n'))
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return out, made, nil
}

// add writes attempts.
func (f *attempts) add(made []posttrain.Attempt) error {
	var out []byte
	for _, a := range made {
		line, err := json.Marshal(a)
		if err != nil {
			return err
		}
		out = append(append(out, line...), '\n')
	}
	_, err := f.Write(out)
	return err
}

// print writes the report.
func (r *synthesized) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "kept\t%d of %d\t%.1f %%\n", r.Kept, r.Attempts, 100*r.Yield)
	reasons := slices.SortedFunc(maps.Keys(r.Refused), func(a, b string) int {
		return cmp.Or(r.Refused[b]-r.Refused[a], cmp.Compare(a, b))
	})
	for _, reason := range reasons {
		fmt.Fprintf(w, "  %s\t%d\t%.1f %%\n", reason, r.Refused[reason], 100*float64(r.Refused[reason])/float64(r.Attempts))
	}
	for _, why := range r.Reasons {
		fmt.Fprintf(w, "    %s\n", printable(why))
	}
	if r.Kept > 0 {
		fmt.Fprintf(w, "mean score of the kept\t%.3f\n", r.Score)
	}
	for _, part := range []struct {
		name string
		d    near.Diversity
	}{{"prompts", r.Prompts}, {"answers", r.Answers}} {
		if d := part.d; d.Texts > 1 {
			fmt.Fprintf(w, "%s\tdistinct-1 %.3f, distinct-2 %.3f, distinct-3 %.3f, self-BLEU %.3f\n", part.name, d.Distinct[0], d.Distinct[1], d.Distinct[2], d.SelfBLEU)
		}
	}
	fmt.Fprintf(w, "tokens\t%d\n", r.Tokens)
	if r.Made > 0 && r.Seconds > 0 {
		fmt.Fprintf(w, "time\t%.1f s, %.2f attempts/s\n", r.Seconds, float64(r.Made)/r.Seconds)
	}
	fmt.Fprintf(w, "written to\t%s\n", r.Out)
	return w.Flush()
}
