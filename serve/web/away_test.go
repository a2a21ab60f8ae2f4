package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// front is a server that goes away and comes back. The page's files are always there.
type front struct {
	away, cut, fewer atomic.Bool // nothing is answered; texts end in their middle; talker is not served
	lost, mute       atomic.Bool // of votes the answers; a request is taken and never answered
	all, rest        http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	is := f.all
	if f.fewer.Load() {
		is = f.rest
	}
	switch page := r.URL.Path == "/" || strings.HasPrefix(r.URL.Path, "/page/"); {
	case f.away.Load() && !page:
		panic(http.ErrAbortHandler) // the connection ends without an answer
	case f.mute.Load() && !page:
		io.Copy(io.Discard, r.Body) // so that the end of the connection is seen
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case f.lost.Load() && r.Method == http.MethodPut:
		is.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case f.cut.Load() && strings.HasSuffix(r.URL.Path, "completions"):
		is.ServeHTTP(&cut{ResponseWriter: w}, r)
		panic(http.ErrAbortHandler)
	}
	is.ServeHTTP(w, r)
}

// cut lets some writes through.
type cut struct {
	http.ResponseWriter
	writes int
}

func (c *cut) Write(b []byte) (int, error) {
	if c.writes++; c.writes > 4 {
		return 0, io.ErrClosedPipe
	}
	n, err := c.ResponseWriter.Write(b)
	c.Flush()
	return n, err
}

func (c *cut) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

// view is a tab of the page and what is asked there.
type view struct {
	name  string
	ask   func()
	done  string // an element of an answer
	cut   bool   // its texts come in streams
	named bool   // it says that the model is gone, and does not take another by itself
}

// walk is a page on a server that goes away, with a tab in front.
type walk struct {
	*page
	*front
	view
}

// openWalk opens the page on a front of two servers with a database and a run.
func openWalk(t *testing.T) *walk {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), []byte(metrics(1, 5)), 0o644); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	keep := withStore(t)
	options := func(o *serve.Options) { keep(o); o.Runs = root }
	f := &front{all: start(t, options).Config.Handler, rest: servetest.Start(t, []serve.Model{{Name: "base", Model: base}}, options).Config.Handler}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	w := &walk{page: openAt(t, server, "chat"), front: f}
	w.choose("talker")
	return w
}

// views are all tabs; those before label ask the chosen model.
func (w *walk) views() []view {
	typed := func(css, button string) func() {
		return func() {
			w.fill(css, "a: b")
			if button != "" {
				w.button("main", button)
			}
		}
	}
	return []view{
		{"chat", func() {
			if w.count(".thread .problem") > 0 {
				w.button(".thread", "Try again")
				return
			}
			w.limits("8", "1")
			w.say("a: b")
		}, ".message:last-child:not(.running) .facts", true, true},
		{"candidates", typed("#candidates-prompt", "Write"), ".selections", true, true},
		{"structured", typed("#structured-answer", "Write"), "#structured-state :is(.good, .accent)", true, false},
		{"compare", typed("#compare-prompt", "Write"), ".compare dd", true, true},
		{"attention", typed("#attention-text", ""), ".attention .result:not([hidden]) .look", false, false},
		{"trust", typed("#trust-question", "Ask"), ".trust .sample", false, true},
		{"tokenizer", typed("#tokenizer-languages", "Count the tokens"), ".costs tbody tr", false, false},
		{"label", func() {
			if w.count(".label .pair") == 0 {
				w.button("main", "Try an example")
			}
			w.button(`.label [aria-label="Left answer"]`, "Better1")
		}, ".label .progress", false, false},
		{"runs", func() {}, ".runs .detail h3", false, false},
	}
}

// to brings a tab to the front.
func (w *walk) to(v view) {
	w.view = v
	eval[bool](w.page, fmt.Sprintf(`(location.hash = %q, true)`, v.name))
	w.wait(fmt.Sprintf(`document.querySelector('#panel-%s:not([hidden])')?.firstChild`, v.name))
}

// problem finds what is wrong in the tab.
func (w *walk) problem() string {
	return fmt.Sprintf(`document.querySelector('#panel-%s .problem')`, w.name)
}

// says asks, and waits for an error.
func (w *walk) says(what string) {
	w.t.Helper()
	w.ask()
	w.wait(fmt.Sprintf(`%s?.innerText.includes(%q)`, w.problem(), what))
}

// answers asks in all views, and waits until nothing is wrong in any.
func (w *walk) answers(views ...view) {
	w.t.Helper()
	for _, v := range views {
		w.to(v)
		w.ask()
	}
	for _, v := range views {
		w.view = v
		w.wait(fmt.Sprintf(`document.querySelector(%q) && !%s && !document.querySelector('#trouble').firstChild`, v.done, w.problem()))
	}
}

// kept says whether what was typed is still there.
func (w *walk) kept() {
	w.t.Helper()
	if !eval[bool](w.page, fmt.Sprintf(`[...document.querySelectorAll('#panel-%s :is(textarea, .message.user .plain)')].some((e) => (e.value ?? e.innerText) === 'a: b')`, w.name)) {
		w.t.Errorf("%s: what was typed is lost: %s", w.name, w.seen())
	}
}

// Each tab is asked while the server is away, for a text that is cut off, and when the
// server is back; then the same on a page that was loaded while it was away. It says what is
// wrong as long as that is so, keeps what was typed, and its next click works.
func TestAway(t *testing.T) {
	w := openWalk(t)
	views := w.views()
	asksModel := views[:7]
	w.away.Store(true)
	for _, v := range views {
		w.to(v)
		w.says("does not answer")
	}
	for _, v := range asksModel {
		w.to(v)
		w.kept()
	}
	w.away.Store(false)
	w.front.cut.Store(true)
	for _, v := range views {
		if v.cut {
			w.to(v)
			w.says("ended before the answer")
		}
	}
	w.to(views[2])
	w.wait(`document.querySelector('#structured-state :is(.good, .accent, .bad)') && ` + w.problem()) // which does not hide the other
	w.front.cut.Store(false)
	w.answers(views...)

	w.away.Store(true)
	w.goTo("chat")
	w.wait(`document.querySelector('#trouble .problem')`)
	if below := eval[float64](w.page, `document.querySelector('.composer').getBoundingClientRect().bottom - innerHeight`); below > 0 {
		t.Errorf("below what is wrong the composer ends %g pixels out of sight", below)
	}
	for _, v := range asksModel {
		w.to(v)
		eval[bool](w.page, `(document.querySelector('#trouble').replaceChildren(), true)`)
		w.ask()
		w.wait(`document.querySelector('#trouble .problem')?.innerText.includes('does not answer')`)
		w.kept()
	}
	w.away.Store(false)
	w.answers(views...)
	w.allow("")
}

// What is asked of a server that never answers can be stopped, or asked anew.
func TestMute(t *testing.T) {
	w := openWalk(t)
	views := w.views()
	for _, v := range []view{views[5], views[6]} { // trust, tokenizer
		w.to(v)
		w.mute.Store(true)
		w.ask()
		if v.name == "trust" {
			w.button("main", "Stop")
			w.wait(`document.querySelector('.trust .result').innerText === 'Stopped.'`)
		}
		w.mute.Store(false)
		w.answers(v)
	}
	w.allow("")
}

// A vote whose answer was lost is kept once, as it was said last.
func TestLostVote(t *testing.T) {
	w := openWalk(t)
	votes := func(want ...string) {
		t.Helper()
		got := eval[[]string](w.page, `fetch('v1/votes').then((r) => r.json()).then((v) => v.data.map((x) => x.chosen))`)
		if !slices.Equal(got, want) {
			t.Errorf("the votes are for %q, want %q", got, want)
		}
	}
	views := w.views()
	w.to(views[7]) // label
	w.button("main", "Try an example")
	w.wait(`document.querySelector('.label .pair')`)
	side := func(which string) string {
		return eval[string](w.page, fmt.Sprintf(`document.querySelector('.label .sides section:%s .text').textContent`, which))
	}
	left, right := side("first-child"), side("last-child")
	w.lost.Store(true)
	w.press("1")
	w.wait(w.problem())
	votes(left)
	w.lost.Store(false)
	w.press("2") // he thought again
	w.wait(`document.querySelector('.label .progress').innerText.includes('1 of 3 judged')`)
	votes(right)
	w.lost.Store(true)
	w.press("1")
	w.wait(w.problem())
	w.lost.Store(false)
	w.press("s")
	w.wait(`document.querySelector('.label .progress').innerText.includes('1 skipped')`)
	votes(right)

	w.to(views[1]) // candidates
	w.set("#model", "base")
	w.click(".candidates summary")
	w.set(".candidates .settings label.field:nth-child(2) input[type=number]", "9")
	w.ask()
	w.wait(`document.querySelector('.selections')`)
	w.click(`[data-vote="best1"]`)
	w.click(`[data-vote="worst0"]`)
	best := eval[string](w.page, `document.querySelectorAll('.candidates .cards .plain')[1].textContent`)
	w.lost.Store(true)
	w.button(".verdict", "Vote")
	w.wait(w.problem())
	w.lost.Store(false)
	w.button(".verdict", "Vote")
	w.wait(`document.querySelector('.verdict').innerText.includes('Kept: 1 pair')`)
	votes(best, right)
	w.allow("")
}

// A tab that is asked for a model that is gone says so, goes on with another, and takes it
// again when it is back.
func TestModelGone(t *testing.T) {
	w := openWalk(t)
	for _, v := range w.views() {
		if !v.named {
			continue
		}
		w.to(v)
		w.fewer.Store(true)
		w.says("talker is not served any more")
		w.wait(`document.querySelector('#model').value === 'base'`)
		w.answers(v)
		w.fewer.Store(false)
		eval[bool](w.page, `window.dispatchEvent(new Event('focus'))`)
		w.wait(`document.querySelector('#model').value === 'talker'`) // which was chosen
	}
	w.allow("")
}
