package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// manifest is the record of a pull beside the files of a model.
type manifest struct {
	Endpoint string    `json:"endpoint"`
	ID       string    `json:"id"`
	Revision string    `json:"revision"`
	Commit   string    `json:"commit"`
	Pulled   time.Time `json:"pulled"`
	Files    []File    `json:"files"`
}

const (
	manifestFile  = ".pull.json"
	partialFolder = ".partial" // in the store: what is not whole yet

	// spare is the disk space that a pull leaves free, in bytes.
	spare = 64 << 20
)

// Pull brings the chosen files of a model into the store and returns the name by
// which Store.Find knows it. Until all files are there and checked the model does
// not appear in the store; a pull that is interrupted goes on where it stopped
// when it is called again. Two pulls of one model at once are not coordinated:
// the checksums find what they spoil.
func (c *Client) Pull(ctx context.Context, s Store, ref Ref, include []string) (name string, err error) {
	commit, files, err := c.Files(ctx, ref)
	if err != nil {
		return "", err
	}
	if files, err = Choose(ref, files, include); err != nil {
		return "", err
	}
	m := &manifest{Endpoint: c.endpoint(), ID: ref.ID, Revision: ref.revision(), Commit: commit, Pulled: time.Now().UTC().Truncate(time.Second), Files: files}
	target := s.folder(ref.ID)
	name = ref.ID
	if !slices.ContainsFunc(files, func(f File) bool { return f.Path == configFile }) {
		if i := slices.IndexFunc(files, isGGUF); i >= 0 {
			name += ":" + files[i].Path
		}
	}
	if present(target, m) {
		c.report("", total(files), total(files))
		return name, nil
	}
	partial := filepath.Join(s.Dir, partialFolder, filepath.FromSlash(ref.ID), commit)
	if err := os.MkdirAll(partial, 0o755); err != nil {
		return "", err
	}
	p := &pull{Client: c, ref: ref, commit: commit, dir: partial, total: total(files)}
	if err := p.room(files); err != nil {
		return "", err
	}
	for _, f := range files {
		p.done += p.have(f)
	}
	p.advance("", 0)
	if err := p.run(ctx, files); err != nil {
		return "", err
	}
	return name, s.adopt(partial, target, m)
}

// pull is one pull under way.
type pull struct {
	*Client
	ref         Ref
	commit, dir string

	mu          sync.Mutex
	done, total int64
}

func total(files []File) (n int64) {
	for _, f := range files {
		n += f.Size
	}
	return n
}

// advance counts n bytes of a file, negative when they are to be read again.
func (p *pull) advance(file string, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.report(file, p.done, p.total)
}

func (c *Client) report(file string, done, total int64) {
	if c.Progress != nil {
		c.Progress(Progress{file, done, total})
	}
}

// room refuses a pull that the disk has no space for.
func (p *pull) room(files []File) error {
	if p.Free == nil {
		return nil
	}
	free, ok := p.Free(p.dir)
	if !ok {
		return nil
	}
	need := p.total
	for _, f := range files {
		need -= p.have(f)
	}
	if need+spare > free {
		return fmt.Errorf("%s needs %.1f MB more, the disk of %s has %.1f MB free: make room or choose another folder", p.ref.ID,
			float64(need)/1e6, p.dir, float64(free)/1e6)
	}
	return nil
}

// have is how many bytes of a file an earlier pull has left.
func (p *pull) have(f File) int64 {
	for _, path := range []string{p.path(f), p.path(f) + partSuffix} {
		if info, err := os.Stat(path); err == nil {
			return min(info.Size(), f.Size)
		}
	}
	return 0
}

func (p *pull) path(f File) string { return filepath.Join(p.dir, filepath.FromSlash(f.Path)) }

// run downloads the files, several at a time, the largest first. The first error
// stops all.
func (p *pull) run(ctx context.Context, files []File) error {
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return int(min(max(b.Size-a.Size, -1), 1)) })
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	n := p.Parallel
	if n == 0 {
		n = 4
	}
	next := make(chan File)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for f := range next {
				if errs[i] == nil {
					if errs[i] = p.file(ctx, f); errs[i] != nil {
						stop(errs[i])
					}
				}
			}
		})
	}
	for _, f := range files {
		if ctx.Err() != nil {
			break
		}
		next <- f
	}
	close(next)
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// present tells whether all files are there from the same commit.
func present(dir string, m *manifest) bool {
	var have manifest
	if ok, err := atomicfile.ReadJSON(filepath.Join(dir, manifestFile), &have); !ok || err != nil {
		return false
	}
	for _, f := range m.Files {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Path)))
		if err != nil || info.Size() != f.Size || !slices.Contains(have.Files, f) {
			return false
		}
	}
	return true
}

// adopt gives a whole download its name. A model directory is replaced as one:
// the old one is moved aside, the new one takes its name. GGUF files that only
// the old one has are kept, and all its files where a file is added to it.
func (s Store) adopt(partial, target string, m *manifest) error {
	var old manifest
	if _, err := atomicfile.ReadJSON(filepath.Join(target, manifestFile), &old); err != nil {
		old = manifest{}
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	directory := slices.ContainsFunc(m.Files, func(f File) bool { return f.Path == configFile })
	aside := filepath.Join(s.Dir, partialFolder, "replaced-"+strings.ReplaceAll(m.ID, "/", "-"))
	for _, f := range old.Files {
		from, to := filepath.Join(target, filepath.FromSlash(f.Path)), filepath.Join(partial, filepath.FromSlash(f.Path))
		if directory && !isGGUF(f) || slices.ContainsFunc(m.Files, func(n File) bool { return n.Path == f.Path }) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.Link(from, to); err != nil && !errors.Is(err, os.ErrExist) {
			if err := os.Rename(from, to); err != nil { // a file system without links
				return fmt.Errorf("keeping %s: %w", from, err)
			}
		}
		m.Files = append(m.Files, f)
	}
	if err := atomicfile.WriteJSON(filepath.Join(partial, manifestFile), m); err != nil {
		return err
	}
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.Rename(target, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(partial, target); err != nil {
		return err
	}
	// What other pulls of the model left unfinished is of no use any more.
	return errors.Join(os.RemoveAll(aside), os.RemoveAll(filepath.Dir(partial)))
}
