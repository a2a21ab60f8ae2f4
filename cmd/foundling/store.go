package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/foundling-lm/foundling/model/hub"
)

// storeFlags are shared by the commands that find models by name.
type storeFlags struct {
	Store string `help:"Folder of pulled models. Default: foundling/models in the user's data directory." env:"FOUNDLING_STORE" placeholder:"DIR"`
}

// store is the folder of models; it need not exist.
func (f storeFlags) store() (hub.Store, error) {
	if f.Store != "" {
		return hub.Store{Dir: f.Store}, nil
	}
	dir, err := dataDir(runtime.GOOS, os.Getenv, os.UserHomeDir)
	if err != nil {
		return hub.Store{}, usageError{fmt.Errorf("there is no folder for models: give --store: %w", err)}
	}
	return hub.Store{Dir: filepath.Join(dir, "foundling", "models")}, nil
}

// dataDir is where programs of a system keep data of their users.
func dataDir(system string, env func(string) string, home func() (string, error)) (string, error) {
	switch system {
	case "windows":
		if dir := env("LocalAppData"); dir != "" {
			return dir, nil
		}
		return "", errors.New("%LocalAppData% is unset")
	case "darwin":
		dir, err := home()
		return filepath.Join(dir, "Library", "Application Support"), err
	}
	if dir := env("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	dir, err := home()
	return filepath.Join(dir, ".local", "share"), err
}

// modelPath is the path of a model: what is there under this name, else a model
// of the store.
func (f storeFlags) modelPath(name string) (string, error) {
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	s, err := f.store()
	if err != nil {
		return name, nil // opening it says that there is no such path
	}
	m, err := s.Find(name)
	switch {
	case errors.Is(err, hub.ErrNoModel):
		return "", fmt.Errorf("%s is no path and no model of the store %s: foundling models lists those, foundling pull gets more", name, s.Dir)
	case err != nil:
		return "", err
	}
	return m.Path, nil
}
