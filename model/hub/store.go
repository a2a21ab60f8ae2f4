package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// Store is a folder of models: OWNER/NAME is a model directory, GGUF files, or
// both.
type Store struct{ Dir string }

// Model is a model of a store.
type Model struct {
	Name   string    // OWNER/NAME of a directory, OWNER/NAME:FILE of a GGUF file
	Path   string    // of the directory or file
	Bytes  int64     // on the disk
	Commit string    // of the hub; "": not pulled
	Pulled time.Time // zero: not pulled
}

const configFile = "config.json"

func (s Store) folder(id string) string { return filepath.Join(s.Dir, filepath.FromSlash(id)) }

// List returns the models by name. A store that does not exist has none.
func (s Store) List() ([]Model, error) {
	var out []Model
	owners, err := folders(s.Dir)
	if err != nil {
		return nil, err
	}
	for _, owner := range owners {
		names, err := folders(filepath.Join(s.Dir, owner))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			models, err := s.models(owner + "/" + name)
			if err != nil {
				return nil, err
			}
			out = append(out, models...)
		}
	}
	return out, nil
}

// folders are the folders in dir that are not hidden.
func folders(dir string) (names []string, err error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range list {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// models are what one folder of the store holds.
func (s Store) models(id string) (out []Model, err error) {
	dir := s.folder(id)
	var m manifest
	if _, err := atomicfile.ReadJSON(filepath.Join(dir, manifestFile), &m); err != nil {
		return nil, err
	}
	whole := Model{Name: id, Path: dir, Commit: m.Commit, Pulled: m.Pulled}
	isDirectory := false
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case isGGUF(File{Path: name}):
			out = append(out, Model{Name: id + ":" + name, Path: path, Bytes: info.Size(), Commit: m.Commit, Pulled: m.Pulled})
		case name == configFile:
			isDirectory = true
			fallthrough
		default:
			whole.Bytes += info.Size()
		}
		return nil
	})
	if isDirectory {
		out = slices.Insert(out, 0, whole)
	}
	return out, err
}

// ErrNoModel is that a store has no model of a name.
var ErrNoModel = errors.New("no such model in the store")

// Find returns the model of that name. NAME alone is enough where one owner has
// it, and so is a part of a file's name after the colon where one file has it;
// OWNER/NAME finds the only GGUF file of a model that has no directory.
func (s Store) Find(name string) (Model, error) {
	all, err := s.List()
	if err != nil {
		return Model{}, err
	}
	id, file, _ := strings.Cut(name, ":")
	var found []Model
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		mID, mFile, _ := strings.Cut(m.Name, ":")
		_, short, _ := strings.Cut(mID, "/")
		if (mID == id || short == id) && strings.Contains(strings.ToLower(mFile), strings.ToLower(file)) && (file == "") == (mFile == "") {
			found = append(found, m)
		}
	}
	if len(found) == 0 && file == "" { // no directory of that name: its GGUF files
		for _, m := range all {
			mID, _, _ := strings.Cut(m.Name, ":")
			if _, short, _ := strings.Cut(mID, "/"); mID == id || short == id {
				found = append(found, m)
			}
		}
	}
	switch len(found) {
	case 0:
		return Model{}, fmt.Errorf("%q: %w %s", name, ErrNoModel, s.Dir)
	case 1:
		return found[0], nil
	}
	names := make([]string, len(found))
	for i, m := range found {
		names[i] = m.Name
	}
	return Model{}, fmt.Errorf("%q is the name of several models: %s", name, strings.Join(names, ", "))
}

// Remove deletes a model: a directory without the GGUF files beside it, or one
// GGUF file.
func (s Store) Remove(m Model) error {
	id, file, isFile := strings.Cut(m.Name, ":")
	dir := s.folder(id)
	if isFile {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			return err
		}
	} else {
		// The model is gone with its configuration, whatever is left when this is
		// interrupted.
		if err := os.Remove(filepath.Join(dir, configFile)); err != nil {
			return err
		}
	}
	left, err := s.models(id)
	if err != nil {
		return err
	}
	switch {
	case len(left) == 0:
		err = os.RemoveAll(dir)
	case !isFile:
		err = removeOthers(dir)
	}
	if err != nil {
		return err
	}
	os.Remove(filepath.Dir(dir)) // the owner's folder, if it is empty now
	return nil
}

// removeOthers deletes all files that are no GGUF files.
func removeOthers(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || isGGUF(File{Path: path}) || d.Name() == manifestFile {
			return err
		}
		return os.Remove(path)
	})
}
