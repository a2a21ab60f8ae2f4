package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/model/lora"
	"github.com/foundling-lm/foundling/train"
	"github.com/foundling-lm/foundling/train/optim"
)

// runFile is run.json of pretrain and of all post-training: everything that the result of a run
// depends on. It is written before the first step; the same command goes on
// from it, and steps govern from then on, not the clock.
type runFile[O any] struct {
	Version int    `json:"version"` // of this format
	Command string `json:"command"`
	Program string `json:"program"` // version of the program that began the run
	Options O      `json:"options"` // by the names of the flags, all resolved
	Source  string `json:"source"`  // hash of the text on both sides of the split

	Measured *measured   `json:"measured,omitempty"` // what a budget was turned into steps by
	Training any         `json:"training,omitempty"` // what training was told, in full
	Cuts     []optim.Cut `json:"cuts,omitempty"`     // earlier ends that were decided on the way
}

// measured is the speed that a budget was divided by.
type measured struct {
	SecondsPerStep float64 `json:"seconds_per_step"`
	FLOPs          float64 `json:"flop_per_second,omitempty"`
	Spent          float64 `json:"seconds_before"` // of the budget, on reading and preparing
}

const (
	runFileName    = "run.json"
	runFileVersion = 1
)

// loadRun reads dir's run.json into r; it reports false where there is none.
// A directory with other people's files in it is an error.
func loadRun[O any](dir, command string, r *runFile[O]) (bool, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return false, usageError{fmt.Errorf("--out %s is a file: name a directory", dir)}
	}
	path := filepath.Join(dir, runFileName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, vacant(dir)
	}
	if err != nil {
		return false, err
	}
	var head struct {
		Version int    `json:"version"`
		Command string `json:"command"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return false, fmt.Errorf("%s: %w: this file describes no run; name another --out", path, err)
	}
	if head.Version != runFileVersion || head.Command != command {
		return false, usageError{fmt.Errorf("%s is of a run of %q, version %d: %s needs a directory of its own, name another --out", path, head.Command, head.Version, command)}
	}
	if err := json.Unmarshal(data, r); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}

// vacant says whether a run may begin in dir.
func vacant(dir string) error {
	for _, name := range []string{bundle.ConfigFile, bundle.WeightsFile, bundle.TokenizerFile, lora.ConfigFile, train.CheckpointFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return usageError{fmt.Errorf("--out %s holds %s of something else and no %s: name another directory", dir, name, runFileName)}
		}
	}
	return nil
}

// save writes run.json, making the directory.
func (r *runFile[O]) save(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, runFileName), append(data, '\n'))
}

// compare names the options that were given on the command line and differ from
// those of the run in dir. Given holds only flags that were set.
func compare(dir string, given any, c computeFlags, recorded any) error {
	now, err := fields(given)
	if err != nil {
		return err
	}
	for name, value := range map[string]string{"kernels": c.Kernels, "precision": c.Precision} {
		if value != "" {
			now[name], _ = json.Marshal(value)
		}
	}
	then, err := fields(recorded)
	if err != nil {
		return err
	}
	var differ []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if old := then[name]; !bytes.Equal(now[name], old) {
			if old == nil {
				old = []byte("not set")
			}
			differ = append(differ, fmt.Sprintf("--%s is %s, there it is %s", name, now[name], old))
		}
	}
	if differ == nil {
		return nil
	}
	return usageError{fmt.Errorf("%s was begun with other options: %s; leave them as they were to go on, or name another --out",
		filepath.Join(dir, runFileName), strings.Join(differ, "; "))}
}

// fields is the JSON object of v by key, in canonical form.
func fields(v any) (map[string]json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var m map[string]json.RawMessage
	return m, json.Unmarshal(data, &m)
}

// overlay sets the fields of options that are set in given.
func overlay(options, given any) error {
	data, err := json.Marshal(given)
	if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) {
		return usageError{fmt.Errorf("--%s is %s: it must be a finite number", unsupported(reflect.Indirect(reflect.ValueOf(given))), bad.Str)}
	} else if err != nil {
		return err
	}
	return json.Unmarshal(data, options)
}

// unsupported is the name of the first option of a struct that has no JSON.
func unsupported(options reflect.Value) string {
	for i := range options.NumField() {
		f := options.Type().Field(i)
		switch {
		case !f.IsExported() && !f.Anonymous:
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			if name := unsupported(options.Field(i)); name != "" {
				return name
			}
		default:
			if _, err := json.Marshal(options.Field(i).Interface()); err != nil {
				name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				return name
			}
		}
	}
	return ""
}

// absolute makes paths independent of the working directory.
func absolute(paths []string) ([]string, error) {
	out := make([]string, len(paths))
	for i, p := range paths {
		a, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		out[i] = a
	}
	return out, nil
}

// resumable says how to go on.
func resumable(err error, command, out string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w\ngo on with: foundling %s --out %s", train.ErrInterrupted, command, quoted(out))
	}
	return err
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " '\"$&;()*?<>|\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
