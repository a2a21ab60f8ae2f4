package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/model/cache"
	"github.com/foundling-lm/foundling/plan/machine"
	"github.com/foundling-lm/foundling/serve"
)

// modelsFlags say what of models is served, and what of it may change.
type modelsFlags struct {
	LoRA       []string      `name:"lora" help:"Adapter that texts may ask for, as NAME=DIR of the first model or MODEL:NAME=DIR of another: by the field lora, or as the model MODEL:NAME. Repeat it for more." placeholder:"NAME=DIR" sep:"none"`
	LoadFrom   []string      `help:"Folder of models and adapters that POST /v1/models/load may name by path, besides those that are served and those of the store. Repeat it for more." placeholder:"DIR" type:"existingdir" sep:"none"`
	CacheBytes byteSize      `help:"Memory for keys and values of all models together: 512M, 8G; 0: nine tenths of what is free once the models are read. Texts that can never fit are refused, others wait." default:"0" placeholder:"SIZE"`
	Timeout    time.Duration `help:"Time for the texts of a request, which then end as they are; the field timeout may ask for less. 0: as long as it takes." placeholder:"TIME"`
}

// Validate says which flag is impossible.
func (f *modelsFlags) Validate() error {
	if f.Timeout < 0 {
		return fmt.Errorf("--timeout is %v: it must be positive, or 0 for as long as it takes", f.Timeout)
	}
	for _, given := range f.LoRA {
		if _, dir, ok := strings.Cut(given, "="); !ok || dir == "" {
			return fmt.Errorf("--lora %s: it must be NAME=DIR, or MODEL:NAME=DIR", given)
		}
	}
	return nil
}

// opener opens the models of a server, and knows where they came from.
type opener struct {
	c      *serveCmd
	budget *cache.Budget // of keys and values of all models

	mu     sync.Mutex
	paths  map[string]string // of models and adapters that are or were served, by name
	opened map[string]string // of those that may yet turn out not to be fit for it
}

// open opens what the flags name.
func (c *serveCmd) open() (_ *opener, models []serve.Model, err error) {
	o := &opener{c: c, budget: cache.NewBudget(int64(c.CacheBytes)), paths: map[string]string{}, opened: map[string]string{}}
	defer func() {
		if err != nil {
			for len(models) > 0 {
				models[len(models)-1].Close()
				models = models[:len(models)-1]
			}
		}
	}()
	for _, given := range c.Model {
		name, path := modelName(given)
		m, err := o.open(path)
		if err != nil {
			return nil, models, err
		}
		o.paths[name] = path
		models = append(models, serve.Model{Name: name, Model: m})
	}
	for _, given := range c.LoRA {
		name, dir, _ := strings.Cut(given, "=")
		base := models[0]
		for _, m := range models {
			if strings.HasPrefix(name, m.Name+":") {
				base, name = m, strings.TrimPrefix(name, m.Name+":")
			}
		}
		with, err := base.With(dir)
		if err != nil {
			return nil, models, fmt.Errorf("--lora %s: %w", given, err)
		}
		name = base.Name + ":" + name
		o.paths[name] = dir
		models = append(models, serve.Model{Name: name, Model: with})
	}
	return o, models, nil
}

// open opens a model and gives all of them the memory that is free then.
func (o *opener) open(path string) (*foundling.Model, error) {
	m, err := openWithin(o.c.openFlags, o.c.speculateFlags, path, o.budget)
	if err != nil {
		return nil, err
	}
	if o.c.CacheBytes == 0 {
		o.budget.SetMax((o.budget.Held() + machine.Describe().Memory.Available) / 10 * 9)
	} else if least := m.Engine.CacheBytes(1); least > int64(o.c.CacheBytes) {
		m.Close()
		return nil, fmt.Errorf("--cache-bytes is %s: a text of %s takes %d bytes at least", o.c.CacheBytes, path, least)
	}
	return m, nil
}

// Open is serve.Opener's.
func (o *opener) Open(name, path string) (*foundling.Model, error) {
	path, err := o.allowed(name, path)
	if err != nil {
		return nil, err
	}
	m, err := o.open(path)
	if err == nil {
		o.note(name, path)
	}
	return m, err
}

// Adapter is serve.Opener's.
func (o *opener) Adapter(base *foundling.Model, name, path string) (*foundling.Model, error) {
	path, err := o.allowed(name, path)
	if err != nil {
		return nil, err
	}
	m, err := base.With(path)
	if err == nil {
		o.note(name, path)
	}
	return m, err
}

// note keeps where a name was opened from until it is known to be served.
func (o *opener) note(name, path string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened[name] = path
}

// Serves is serve.Opener's.
func (o *opener) Serves(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.paths[name] = o.opened[name]
	delete(o.opened, name)
}

// allowed is the path to open for a name: that of what is or was served, a model of the
// store, or one within --load-from, links followed. Others are not looked at, so that
// nobody learns what lies elsewhere.
func (o *opener) allowed(name, path string) (string, error) {
	o.mu.Lock()
	known := maps.Clone(o.paths)
	o.mu.Unlock()
	if path == "" {
		if known[name] == "" {
			return "", &serve.Error{Message: fmt.Sprintf("path: %s was not served before: say where it is", name), Param: "path", Code: "missing"}
		}
		return known[name], nil
	}
	for _, p := range known {
		if p == path {
			return path, nil
		}
	}
	if !strings.ContainsAny(path, `/\`) {
		if s, err := o.c.store(); err == nil {
			if m, err := s.Find(path); err == nil {
				return m.Path, nil
			}
		}
	}
	for _, dir := range o.c.LoadFrom {
		if real, ok := within(dir, path); ok {
			return real, nil
		}
	}
	return "", &serve.Error{Message: fmt.Sprintf("path: %s is not served, no model of the store and not within a folder of --load-from", path), Param: "path", Code: "path_not_allowed"}
}

// within is the path of what lies in dir, which path names from there or in full.
func within(dir, path string) (real string, ok bool) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", false
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if real, err = filepath.EvalSymlinks(path); err != nil {
		return "", false
	}
	rel, err := filepath.Rel(dir, real)
	if err != nil || !filepath.IsLocal(rel) {
		return "", false
	}
	info, err := os.Stat(real)
	return real, err == nil && (info.IsDir() || info.Mode().IsRegular())
}

// reloadOnHangup opens the models again at every SIGHUP, until stop is called.
func reloadOnHangup(s *serve.Server, log *slog.Logger) (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range signals {
			if err := s.Reload(); err != nil && log != nil {
				log.Error("models are not read again", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}
