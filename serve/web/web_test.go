package web_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/keys"
)

func get(t *testing.T, url string, header http.Header) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Header = header
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(body)
}

func TestFiles(t *testing.T) {
	h := start(t, nil)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page/main.js": "text/javascript; charset=utf-8", "/page/style.css": "text/css; charset=utf-8",
		"/page/icon.svg": "image/svg+xml", "/page/tabs/chat.js": "text/javascript; charset=utf-8",
	} {
		r, body := get(t, h.URL+path, nil)
		if got := r.Header.Get("Content-Type"); r.StatusCode != 200 || got != kind || body == "" {
			t.Errorf("%s: status %d, type %q, %d bytes, want 200 and %q", path, r.StatusCode, got, len(body), kind)
		}
		if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: content policy %q", path, policy)
		}
		again, body := get(t, h.URL+path, http.Header{"If-None-Match": {r.Header.Get("Etag")}})
		if again.StatusCode != http.StatusNotModified || body != "" {
			t.Errorf("%s again: status %d and %d bytes, want 304 and none", path, again.StatusCode, len(body))
		}
	}
	for _, path := range []string{"/page/", "/page/none.js", "/page/../web.go", "/page/%2e%2e/web.go", "/page/tabs", "/index.html"} {
		if r, _ := get(t, h.URL+path, nil); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, r.StatusCode)
		}
	}
	closed := start(t, func(o *serve.Options) { o.NoPage = true })
	if r, _ := get(t, closed.URL, nil); r.StatusCode != http.StatusNotFound {
		t.Errorf("without the page: status %d, want 404", r.StatusCode)
	}
}

// TestEverythingIsHere holds the files to what makes the page work without a network.
func TestEverythingIsHere(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?:src|href|import|from|url\()\W{0,3}(?:https?:)?//[^ ]+`)
	unsafe := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|DOMParser`)
	tabs, err := os.ReadDir("assets/tabs")
	if err != nil {
		t.Fatal(err)
	}
	registry, err := os.ReadFile("assets/tabs.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"assets", "assets/tabs"} {
		files, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if f.IsDir() {
				continue
			}
			content, err := os.ReadFile(dir + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if found := elsewhere.FindString(string(content)); found != "" {
				t.Errorf("%s loads something from elsewhere: %s", f.Name(), found)
			}
			if found := unsafe.FindString(string(content)); found != "" {
				t.Errorf("%s makes elements or code from text: %s", f.Name(), found)
			}
		}
	}
	for _, match := range regexp.MustCompile(`id: '([a-z]+)'`).FindAllStringSubmatch(string(registry), -1) {
		found := false
		for _, f := range tabs {
			found = found || f.Name() == match[1]+".js"
		}
		if !found {
			t.Errorf("tabs.js lists %s, which assets/tabs does not have", match[1])
		}
	}
}

func TestShell(t *testing.T) {
	p := open(t, "", withStore(t))
	if got := p.text(`[role=tab][aria-selected=true]`); got != "Chat" {
		t.Errorf("the first tab is %q", got)
	}
	p.click("#tab-chat")
	p.press(kb.ArrowRight)
	p.wait(`document.activeElement.id === 'tab-candidates' && document.activeElement.getAttribute('aria-selected') === 'true'`)
	p.wait(`!document.querySelector('#panel-candidates').hidden && document.querySelector('#panel-chat').hidden`)
	if got := eval[string](p, `location.hash`); got != "#candidates" {
		t.Errorf("the address ends in %q", got)
	}
	if got := p.count(`[role=tab][tabindex="0"]`); got != 1 {
		t.Errorf("%d tabs are stops of the Tab key, want 1", got)
	}
	p.press(kb.Home)
	p.wait(`document.activeElement.id === 'tab-chat'`)
	p.press(kb.ArrowLeft) // from the first to the last
	p.wait(`document.activeElement === document.querySelector('[role=tab]:last-child')`)

	// Where the tabs do not fit, the bar says so at the ends that have more.
	p.wait(`document.querySelector('#tabs').className === 'tabs'`)
	p.size(390, 800)
	p.wait(`document.querySelector('#tabs').matches('.before:not(.behind)')`) // the last is chosen
	p.press(kb.Home)
	p.wait(`document.querySelector('#tabs').matches('.behind:not(.before)')`)
	p.size(1200, 800)
	for given, want := range map[string]float64{"0": 1, "1": 1, "0.9": 0.9, "undefined": 1} {
		if got := eval[float64](p, `import('./page/settings.js').then((s) => s.defaults({defaults: {top_p: `+given+`}}).top_p)`); got != want {
			t.Errorf("a model's top_p %s is shown as %g, want %g", given, got, want)
		}
	}

	if got := p.text("#model"); !strings.Contains(got, "talker") || !strings.Contains(got, "base") {
		t.Errorf("the models are %q", got)
	}
	p.click("#theme")
	p.wait(`document.documentElement.dataset.theme === 'dark'`)
	p.goTo("chat")
	if got := eval[string](p, `document.documentElement.dataset.theme`); got != "dark" {
		t.Errorf("the theme %q was kept, want dark", got)
	}
}

// The Tab key goes through what is there, from the top to the end, and leaves the page.
func TestTabOrder(t *testing.T) {
	p := open(t, "chat", nil)
	p.limits("8", "1")
	p.say("hello")
	p.answered(2)
	p.click("#chat-tokens")
	if got := eval[string](p, `getComputedStyle(document.querySelector('.composer .tokens')).maxHeight`); got != "none" {
		t.Errorf("the line below the question is at most %s high: another tab's style", got)
	}
	eval[bool](p, `(document.activeElement.blur(), window.getSelection().removeAllRanges(), document.querySelector('.skip').focus(), true)`)
	const name = `(document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.firstChild?.textContent ?? document.activeElement.textContent).trim()`
	var got []string
	for range 30 {
		at := eval[string](p, `document.activeElement === document.body ? 'end' : `+name)
		if len(got) > 0 && got[len(got)-1] == "Reset to the model’s own" {
			break
		}
		got = append(got, at)
		p.press(kb.Tab)
	}
	token := eval[string](p, `document.querySelector('.strip [tabindex="0"]').getAttribute('aria-label')`)
	want := []string{
		"Skip to the content", "Chat", "Model", "Use the dark theme", "New conversation", "hello", "Rename", "Export", "Import", "Delete",
		"Edit", "Copy", token, "Regenerate", "Continue", "Copy", "Message", "Send", "Show tokens",
		"System prompt", "Temperature", "Top-k", "Top-p", "Min-p", "Tokens at most", "Seed", "Reset to the model’s own",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the Tab key goes through\n%q, want\n%q", got, want)
	}
}

// A server with keys asks for one, refuses a wrong one and works with a right one.
func TestKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	key, secret, err := keys.New(keys.Key{Name: "reader", Scopes: []keys.Scope{keys.Infer}})
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.Add(path, key, false); err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := open(t, "chat", func(o *serve.Options) { o.Keys = ring })
	p.wait(`document.querySelector('dialog[open] #key-input')`)
	p.accessible()
	p.fill("#key-input", "wrong")
	p.press(kb.Enter)
	p.wait(`document.querySelector('dialog[open] .problem')`)
	p.fill("#key-input", secret)
	p.press(kb.Enter)
	p.wait(`!document.querySelector('dialog') && document.querySelector('#model').value === 'talker' && !document.querySelector('.problem')`)
	p.limits("8", "1")
	p.say("hello")
	p.answered(2)
	if got := p.count(".thread .problem"); got != 0 {
		t.Errorf("with a key: %s", p.text(".thread"))
	}
	p.allow("401")
}
