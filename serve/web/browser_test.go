package web_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/servetest"
)

// talker and base are tiny models with random weights: one of conversations and one of
// texts. browser is the one Chromium of all tests, nil where there is none.
var (
	talker, base *foundling.Model
	browser      context.Context
	noBrowser    string // why there is none
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "web")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for name, to := range map[string]**foundling.Model{"talker": &talker, "base": &base} {
		if *to, err = servetest.Model(filepath.Join(dir, name), servetest.Shape{Chat: name == "talker", Context: 2048}); err != nil {
			log.Fatal(err)
		}
		defer (*to).Close()
	}
	path, err := chromium()
	if err != nil {
		noBrowser = err.Error()
		return m.Run()
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(dir, "chromium")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(2*time.Minute))...)
	defer stop()
	var end context.CancelFunc
	browser, end = chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(browser); err != nil {
		log.Fatalf("%s does not start: %v", path, err)
	}
	return m.Run()
}

// chromium finds a browser.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no Chromium here: install Debian's package chromium")
}

// start serves both models with the page.
func start(t testing.TB, change func(*serve.Options)) *httptest.Server {
	t.Helper()
	return servetest.Start(t, []serve.Model{{Name: "talker", Model: talker}, {Name: "base", Model: base}}, change)
}

// page is a window of the browser, with storage of its own, on a server.
type page struct {
	t      testing.TB
	ctx    context.Context
	server *httptest.Server

	mu     sync.Mutex
	faults []string // of the console
}

// open shows a tab of the page: "chat", "runs/name". The test fails if it leaves an error in
// the browser's console, or a control without a name. It is skipped where no browser is.
func open(t *testing.T, tab string, change func(*serve.Options)) *page {
	t.Helper()
	return openAt(t, start(t, change), tab)
}

// openAt is open with a server that runs.
func openAt(t *testing.T, server *httptest.Server, tab string) *page {
	t.Helper()
	if browser == nil {
		t.Skip(noBrowser)
	}
	p := &page{t: t, server: server}
	ctx, end := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(end)
	p.ctx = ctx
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.IsException() || m.Type == "error" {
				p.mu.Lock()
				p.faults = append(p.faults, m.String())
				p.mu.Unlock()
			}
		}
	}()
	p.size(1200, 800)
	still := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, still); err != nil {
		t.Fatal(err)
	}
	p.goTo(tab)
	t.Cleanup(func() {
		if !t.Failed() {
			p.accessible()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, fault := range p.faults {
			t.Errorf("the console says: %s", fault)
		}
	})
	return p
}

// allow takes errors of the console that contain text as meant: a failed request leaves
// one.
func (p *page) allow(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []string
	for _, fault := range p.faults {
		if !strings.Contains(fault, text) {
			rest = append(rest, fault)
		}
	}
	p.faults = rest
}

// do runs steps with a limit of time.
func (p *page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v\n%s", what, err, p.seen())
	}
}

func (p *page) size(width, height int64) {
	p.t.Helper()
	p.do("size", chromedp.EmulateViewport(width, height))
}

// goTo loads the page at a tab.
func (p *page) goTo(tab string) {
	p.t.Helper()
	p.do("open "+tab, chromedp.Navigate("about:blank"), chromedp.Navigate(p.server.URL+"/#"+tab))
	p.wait(`document.documentElement.dataset.ready === 'true'`)
}

// seen is the page's text, for messages.
func (p *page) seen() string {
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	return "the page shows:\n" + text
}

// eval is the value of an expression of JavaScript, which may be a promise.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", expression, err, p.seen())
	}
	return v
}

// wait lets an expression become true.
func (p *page) wait(expression string) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if eval[bool](p, "Boolean("+expression+")") {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("it does not become true: %s\n%s", expression, p.seen())
		}
	}
}

// click clicks with the mouse on the first element of a CSS selector that is there to see.
func (p *page) click(css string) {
	p.t.Helper()
	p.do("click "+css, chromedp.Click(chromedp.CSS(css), chromedp.NodeVisible))
}

// button clicks the button of a name inside an element ("" is the whole page).
func (p *page) button(within, name string) {
	p.t.Helper()
	const find = `(() => { for (const e of document.querySelectorAll('[data-clicked]')) delete e.dataset.clicked;
		const b = [...document.querySelectorAll(%q)].flatMap((w) => [...w.querySelectorAll('button')]).find((b) => (b.getAttribute('aria-label') ?? b.textContent).trim() === %q && b.checkVisibility());
		if (b) b.dataset.clicked = ''; return Boolean(b); })()`
	if within == "" {
		within = "body"
	}
	err := error(nil)
	for range 3 { // the page may draw it anew before the mouse is there
		p.wait(fmt.Sprintf(find, within, name))
		ctx, cancel := context.WithTimeout(p.ctx, 20*time.Second)
		err = chromedp.Do(ctx, chromedp.Click(chromedp.CSS("[data-clicked]"), chromedp.NodeVisible))
		cancel()
		if err == nil {
			return
		}
	}
	p.t.Fatalf("the button %q: %v\n%s", name, err, p.seen())
}

// fill puts text into an input as a user does who types over what is there.
func (p *page) fill(css, text string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.select?.(); return true; })()`, css))
	if text == "" {
		p.press("\b")
		return
	}
	p.press(text)
}

// set gives a slider or a select a value.
func (p *page) set(css, value string) {
	p.t.Helper()
	eval[bool](p, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.value = %q;
		e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('change', {bubbles: true})); return true; })()`, css, value))
}

// press types keys where the focus is; kb has those that are no characters. A key is one
// event with its text, so that a page which takes the key keeps its character out.
func (p *page) press(keys string, modifiers ...chromedp.Modifier) {
	p.t.Helper()
	var steps []chromedp.Action[chromedp.Void]
	for _, r := range keys {
		k, ok := kb.Keys[r]
		if !ok {
			steps = append(steps, chromedp.KeyEvent(string(r)))
			continue
		}
		e := input.DispatchKeyEventParams{Key: k.Key, Code: k.Code, Text: k.Text, WindowsVirtualKeyCode: k.Windows}
		for _, m := range modifiers {
			e.Modifiers |= int64(m)
		}
		steps = append(steps, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			for _, e.Type = range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, e); err != nil {
					return err
				}
				e.Text = ""
			}
			return nil
		}))
	}
	p.do("press", steps...)
}

// text is what an element shows.
func (p *page) text(css string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? '(there is no such element)'`, css))
}

// count is how many elements there are.
func (p *page) count(css string) int {
	p.t.Helper()
	return eval[int](p, fmt.Sprintf(`document.querySelectorAll(%q).length`, css))
}

// shoot writes a picture of the window to $FOUNDLING_SHOTS/NAME.png, if that is set.
func (p *page) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("FOUNDLING_SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
	}
	if err != nil {
		p.t.Error(err)
	}
}
