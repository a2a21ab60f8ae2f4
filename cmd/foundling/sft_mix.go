package main

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/batch"
	"github.com/foundling-lm/foundling/text/demo"
)

// mixing is how often an epoch has the demonstrations of each task or file.
type mixing struct {
	weights map[string]float64
	rows    map[string]*mixRow
}

// mixRow is the part of one task or file in an epoch.
type mixRow struct {
	Name    string  `json:"name"`
	Weight  float64 `json:"weight"`
	Found   int     `json:"found"` // demonstrations
	Epoch   int     `json:"epoch"` // of them in an epoch, repeated ones counted again
	Trained int     `json:"trained_tokens"`
}

// mixTable is all parts, in the order of their names.
type mixTable []mixRow

// String is a table.
func (t mixTable) String() string {
	all, width := 0, len("part")
	for _, r := range t {
		all, width = all+r.Trained, max(width, len(r.Name))
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%-*s %8s %8s %8s %7s\n", width, "part", "found", "weight", "epoch", "tokens")
	for _, r := range t {
		fmt.Fprintf(&s, "%-*s %8d %8g %8d %5.1f %%\n", width, r.Name, r.Found, r.Weight, r.Epoch, 100*float64(r.Trained)/float64(max(1, all)))
	}
	return s.String()
}

// newMix reads NAME=X.
func newMix(list []string) (*mixing, error) {
	m := &mixing{weights: map[string]float64{}, rows: map[string]*mixRow{}}
	for _, one := range list {
		i := strings.LastIndexByte(one, '=')
		if i <= 0 {
			return nil, fmt.Errorf("--mix %s: give NAME=X, the name of a task or of a file and how often an epoch has it", one)
		}
		x, err := strconv.ParseFloat(one[i+1:], 64)
		if err != nil || !(x >= 0 && x <= 1000) {
			return nil, fmt.Errorf("--mix %s: %q must be a number from 0 to 1000", one, one[i+1:])
		}
		if _, ok := m.weights[one[:i]]; ok {
			return nil, fmt.Errorf("--mix names %s twice", one[:i])
		}
		m.weights[one[:i]] = x
	}
	return m, nil
}

// partOf names the part that a demonstration belongs to: its file of records, or
// its task.
func partOf(d demo.Demonstration) string {
	if d.Task != demo.TaskPair {
		return d.Task
	}
	file, _, _ := strings.Cut(strings.ReplaceAll(d.Provenance.File, "\\", "/"), "#")
	return path.Base(file)
}

// copies is how often an epoch has demonstration i: the fraction of a weight is
// drawn.
func (m *mixing) copies(part string, seed uint64, i int) int {
	w, ok := m.weights[part]
	if !ok {
		return 1
	}
	n, share := math.Modf(w)
	if rng.Float64(seed, rng.Stream("mix"), uint64(i)) < share {
		n++
	}
	return int(n)
}

// add counts a demonstration of which an epoch has n copies.
func (m *mixing) add(part string, e batch.Example, n int) {
	r := m.rows[part]
	if r == nil {
		r = &mixRow{Name: part, Weight: 1}
		if w, ok := m.weights[part]; ok {
			r.Weight = w
		}
		m.rows[part] = r
	}
	r.Found++
	r.Epoch += n
	for _, t := range e.Train {
		if t {
			r.Trained += n
		}
	}
}

// table is what was counted. A name that nothing belongs to is an error.
func (m *mixing) table() (mixTable, error) {
	names := slices.Sorted(maps.Keys(m.rows))
	for _, name := range slices.Sorted(maps.Keys(m.weights)) {
		if m.rows[name] == nil {
			return nil, fmt.Errorf("--mix %s: no demonstration is of that task or file; there are %s", name, strings.Join(names, ", "))
		}
	}
	var t mixTable
	for _, name := range names {
		t = append(t, *m.rows[name])
	}
	return t, nil
}
