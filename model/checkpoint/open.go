package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edsrzf/mmap-go"
)

const (
	singleName  = "model.safetensors"
	indexSuffix = ".index.json" // after the name that a single file would have
)

// File is a GGUF file, or one or several safetensors files seen as one. Its methods may be
// called from several goroutines, Close excepted.
type File struct {
	names    []string
	tensors  map[string]*Tensor
	metadata map[string]string
	gguf     map[string]any
	maps     []mmap.MMap
}

// index is model.safetensors.index.json.
type index struct {
	Metadata  map[string]any    `json:"metadata"`
	WeightMap map[string]string `json:"weight_map"` // tensor name -> file in the same directory
}

// Open reads path: a GGUF file (any part of a split one), a safetensors file, an
// index of several, or a directory
// with model.safetensors or model.safetensors.index.json (the single file is
// taken where both are there). A path that Save has split is found too.
//
// Headers are checked, values are not: they are read from the mapped file when
// asked for. A file that shrinks while it is mapped crashes the process, as
// with any mapping; Save never does that to a file.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return openDir(path)
	case err == nil && filepath.Ext(path) == ".json":
		return openIndex(path)
	case err == nil:
		return openShards("", []string{path})
	case errors.Is(err, fs.ErrNotExist) && exists(path+indexSuffix):
		return openIndex(path + indexSuffix)
	}
	return nil, fmt.Errorf("checkpoint: %w: give a GGUF or safetensors file or a model directory", err)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func openDir(dir string) (*File, error) {
	single := filepath.Join(dir, singleName)
	switch {
	case exists(single):
		return openShards("", []string{single})
	case exists(single + indexSuffix):
		return openIndex(single + indexSuffix)
	}
	hint := "give a directory that holds one"
	if old, _ := filepath.Glob(filepath.Join(dir, "*.bin")); len(old) > 0 {
		hint = fmt.Sprintf("%s is another format, convert it to safetensors", filepath.Base(old[0]))
	}
	return nil, fmt.Errorf("checkpoint: no %s or %s in %s: %s", singleName, singleName+indexSuffix, dir, hint)
}

// readIndex decodes an index and checks that its files are names in its own
// directory.
func readIndex(path string) (*index, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var x index
	if err := json.Unmarshal(data, &x); err != nil {
		return nil, fmt.Errorf("%s is not a safetensors index: %w", path, err)
	}
	if len(x.WeightMap) == 0 {
		return nil, fmt.Errorf("%s: weight_map is empty or missing: fetch the file again", path)
	}
	for tensor, name := range x.WeightMap {
		if name != filepath.Base(name) || !filepath.IsLocal(name) || name == "." {
			return nil, fmt.Errorf("%s: weight_map puts tensor %q into %q: want the name of a file beside the index", path, tensor, name)
		}
	}
	return &x, nil
}

func openIndex(path string) (*File, error) {
	x, err := readIndex(path)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	names := slices.Compact(slices.Sorted(maps.Values(x.WeightMap)))
	var missing []string
	for i, name := range names {
		names[i] = filepath.Join(filepath.Dir(path), name)
		if !exists(names[i]) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("checkpoint: %d of the %d files that %s lists are missing, the first is %s: fetch them again",
			len(missing), len(names), path, missing[0])
	}
	f, err := openShards(path, names)
	if err != nil {
		return nil, err
	}
	for _, tensor := range slices.Sorted(maps.Keys(x.WeightMap)) {
		if _, ok := f.tensors[tensor]; !ok {
			f.Close()
			return nil, fmt.Errorf("checkpoint: %s lists tensor %q in %s, which lacks it: fetch both again", path, tensor, x.WeightMap[tensor])
		}
	}
	return f, nil
}

// openShards maps the files and joins their tensors. The index is named in
// messages only.
func openShards(index string, paths []string) (_ *File, err error) {
	f := &File{tensors: map[string]*Tensor{}, metadata: map[string]string{}}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	from := map[string]string{}
	for _, path := range paths {
		data, err := f.mapFile(path)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %w", err)
		}
		if isGGUF(data) {
			if len(paths) > 1 || index != "" {
				return nil, fmt.Errorf("checkpoint %s: it is GGUF in an index of safetensors: fetch it again", path)
			}
			if err := f.openGGUF(path, data); err != nil {
				return nil, fmt.Errorf("checkpoint %s: %w", path, err)
			}
			return f, nil
		}
		if strings.EqualFold(filepath.Ext(path), ".gguf") {
			return nil, fmt.Errorf("checkpoint %s: it does not begin with %q: the file is damaged or is not GGUF: fetch it again", path, ggufMagic)
		}
		ts, metadata, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", path, err)
		}
		maps.Copy(f.metadata, metadata)
		for _, t := range ts {
			if other, twice := from[t.Name]; twice {
				return nil, fmt.Errorf("checkpoint %s: tensor %q is in %s and in %s: keep one", index, t.Name, other, path)
			}
			from[t.Name] = path
			f.tensors[t.Name] = t
			f.names = append(f.names, t.Name)
		}
	}
	return f, nil
}

// mapFile adds path to the mappings. An empty file, which has none, gives nil.
func (f *File) mapFile(path string) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil || info.Size() == 0 {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: give a GGUF or safetensors file or a model directory", path)
	}
	m, err := mmap.Map(r, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("map %s into memory: %w", path, err)
	}
	f.maps = append(f.maps, m)
	return m, nil
}

// Names lists the tensors in the order of their data, file after file.
func (f *File) Names() []string { return f.names }

// Tensor finds a tensor by name. It must not be changed, and its Data not read
// after Close.
func (f *File) Tensor(name string) (*Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

// Metadata is the free text of the header by key ("format" is "pt" in most
// files), of all files together. It must not be changed.
func (f *File) Metadata() map[string]string { return f.metadata }

// Close takes the mappings back. A second call does nothing.
func (f *File) Close() error {
	var errs []error
	for i := range f.maps {
		errs = append(errs, f.maps[i].Unmap())
	}
	f.maps, f.names = nil, nil
	clear(f.tensors)
	return errors.Join(errs...)
}
