package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// partSuffix ends the name of a file that is not whole yet.
const partSuffix = ".part"

// file downloads one file, going on from what is there, and checks it.
func (p *pull) file(ctx context.Context, f File) error {
	path := p.path(f)
	if info, err := os.Stat(path); err == nil && info.Size() == f.Size {
		return nil // it was checked before it got its name
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	d := &download{pull: p, f: f, counted: p.have(f)}
	var err error
	if d.part, err = os.OpenFile(path+partSuffix, os.O_RDWR|os.O_CREATE, 0o644); err != nil {
		return err
	}
	defer d.part.Close()
	if err := d.resume(); err != nil {
		return err
	}
	what := p.ref.ID + ": " + f.Path
	restarted := false
	err = p.attempts(ctx, what, func() (bool, error) {
		before := d.at
		err := d.fetch(ctx)
		var wrong *checksumError
		if errors.As(err, &wrong) {
			if err := d.restart(); err != nil {
				return false, final(err)
			}
			if restarted { // twice is no accident
				return false, final(wrong)
			}
			restarted = true
			return true, wrong
		}
		return d.at > before, err
	})
	if err != nil {
		return err
	}
	if err := d.part.Sync(); err != nil {
		return err
	}
	if err := d.part.Close(); err != nil {
		return err
	}
	return os.Rename(path+partSuffix, path)
}

// download is one file under way.
type download struct {
	*pull
	f       File
	part    *os.File
	sum     hash.Hash
	at      int64 // bytes in part, all of them in sum
	counted int64 // of them, those that progress knows
	linked  linked
}

// newSum is the hash that the hub's checksum is one of.
func (d *download) newSum() hash.Hash {
	if d.f.SHA256 == "" && d.f.Blob != "" {
		h := sha1.New()
		fmt.Fprintf(h, "blob %d\x00", d.f.Size)
		return h
	}
	return sha256.New()
}

// resume takes up what an earlier pull has left.
func (d *download) resume() error {
	d.sum = d.newSum()
	info, err := d.part.Stat()
	if err != nil {
		return err
	}
	if info.Size() > d.f.Size {
		return d.restart()
	}
	if d.at, err = io.Copy(d.sum, d.part); err != nil {
		return err
	}
	d.count()
	return nil
}

func (d *download) restart() error {
	if err := d.part.Truncate(0); err != nil {
		return err
	}
	if _, err := d.part.Seek(0, io.SeekStart); err != nil {
		return err
	}
	d.at, d.sum = 0, d.newSum()
	d.count()
	return nil
}

func (d *download) count() {
	d.advance(d.f.Path, d.at-d.counted)
	d.counted = d.at
}

// Write is the way of the bytes: to the disk, into the checksum, to progress.
func (d *download) Write(b []byte) (int, error) {
	if int64(len(b)) > d.f.Size-d.at {
		return 0, final(fmt.Errorf("%s: %s is longer than the %d bytes that the hub names", d.ref.ID, d.f.Path, d.f.Size))
	}
	n, err := d.part.Write(b)
	d.sum.Write(b[:n])
	d.at += int64(n)
	d.count()
	if err != nil {
		return n, final(err)
	}
	return n, nil
}

// fetch asks for what is missing and checks the whole.
func (d *download) fetch(ctx context.Context) error {
	if d.at < d.f.Size || d.f.Size == 0 {
		if err := d.transfer(ctx); err != nil {
			return err
		}
	}
	if d.at < d.f.Size {
		return fmt.Errorf("the connection ended after %d of %d bytes", d.at, d.f.Size)
	}
	return d.check()
}

func (d *download) transfer(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(d.idle(), func() { cancel(errIdle) })
	defer silence.Stop()
	r, err := d.get(ctx, d.address(), d.at, &d.linked)
	if err != nil {
		return idleCause(ctx, err)
	}
	defer r.Body.Close()
	switch {
	case r.StatusCode == http.StatusPartialContent && d.at > 0:
		if from, ok := rangeStart(r.Header.Get("Content-Range")); !ok || from != d.at {
			return fmt.Errorf("the hub answers with another part (%q) than the one from byte %d", r.Header.Get("Content-Range"), d.at)
		}
	case r.StatusCode == http.StatusOK:
		if d.at > 0 { // it cannot send parts
			if err := d.restart(); err != nil {
				return final(err)
			}
		}
	case r.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		if err := d.restart(); err != nil {
			return final(err)
		}
		return errors.New("the hub has no such part of the file")
	default:
		return d.status(r, d.ref.ID+": "+d.f.Path)
	}
	_, err = io.CopyBuffer(d, &watched{r.Body, silence, d.idle()}, make([]byte, 256<<10))
	return idleCause(ctx, err)
}

// idleCause says that silence ended a transfer, where it did.
func idleCause(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errIdle) {
		return errIdle
	}
	return err
}

// watched puts off the end of a silent connection whenever something is heard.
type watched struct {
	r       io.Reader
	silence *time.Timer
	idle    time.Duration
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.r.Read(b)
	w.silence.Reset(w.idle)
	return n, err
}

func (d *download) address() string {
	parts := strings.Split(d.f.Path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return d.endpoint() + "/" + d.ref.ID + "/resolve/" + d.commit + "/" + strings.Join(parts, "/")
}

var contentRange = regexp.MustCompile(`^bytes (\d{1,18})-`)

func rangeStart(s string) (int64, bool) {
	m := contentRange.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var n int64
	_, err := fmt.Sscan(m[1], &n)
	return n, err == nil
}

// checksumError is a file that is not what the hub says.
type checksumError struct{ file, got, want string }

func (e *checksumError) Error() string {
	return fmt.Sprintf("%s has checksum %s, the hub names %s: the download is damaged", e.file, e.got, e.want)
}

// check compares the checksum with the one of the list of files or, where that
// has none, with the one that came with the file.
func (d *download) check() error {
	want := d.f.SHA256
	if want == "" {
		want = d.f.Blob
	}
	if want == "" && len(d.linked.etag) == hex.EncodedLen(sha256.Size) {
		want = d.linked.etag
	}
	if want == "" {
		return final(fmt.Errorf("%s: the hub names no checksum for %s", d.ref.ID, d.f.Path))
	}
	if got := hex.EncodeToString(d.sum.Sum(nil)); got != strings.ToLower(want) {
		return &checksumError{d.f.Path, got, want}
	}
	return nil
}
