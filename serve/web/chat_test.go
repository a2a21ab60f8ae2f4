package web_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/foundling-lm/foundling/serve"
)

// answered waits until nothing is written any more and there are n messages.
func (p *page) answered(n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll('.message').length === %d && !document.querySelector('.message.running') && document.querySelector('#chat-send').textContent === 'Send'`, n))
}

// ask sends what the server is asked and gives the text of the first choice.
func ask(t *testing.T, p *page, path, body string) string {
	t.Helper()
	r, err := http.Post(p.server.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var a struct {
		Choices []struct {
			Text    string
			Message struct{ Content string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil || len(a.Choices) == 0 {
		t.Fatalf("%s: %v", body, err)
	}
	return a.Choices[0].Text + a.Choices[0].Message.Content
}

// say types a message and sends it.
func (p *page) say(text string) {
	p.t.Helper()
	p.fill("#chat-input", text)
	p.press(kb.Enter)
}

// limits fills in the fields of the settings.
func (p *page) limits(tokens, seed string) {
	p.t.Helper()
	p.set(".settings input[type=number]", tokens)
	p.set(".settings label.field:last-child input[type=number]", seed)
}

// content is the text of a message as the page holds it, whatever is drawn.
func (p *page) content(n int) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`import('./page/store.js').then(async (s) => {
		const t = await import('./page/conversation.js'); return t.path((await s.list())[0])[%d].content; })`, n))
}

func TestChat(t *testing.T) {
	p := open(t, "chat", nil)
	p.limits("24", "7")
	p.fill("#chat-system", "Be short.")
	p.say("hello")
	p.answered(2)
	want := ask(t, p, "/v1/chat/completions", `{"model":"talker","messages":[{"role":"system","content":"Be short."},{"role":"user","content":"hello"}],"max_tokens":24,"seed":7}`)
	if got := p.content(1); got != want {
		t.Errorf("the page has %q, the server says %q", got, want)
	}
	if got := p.text(".message.assistant .facts"); !strings.Contains(got, "seed 7") || !strings.Contains(got, "tokens") {
		t.Errorf("of the answer is said %q", got)
	}
	if got := eval[string](p, `document.querySelector('#live').textContent`); got == "" {
		t.Error("a screen reader is told nothing of the answer")
	}
	p.shoot("chat")

	// Another answer is a branch; both stay.
	p.button(".message.assistant", "Regenerate")
	p.answered(2)
	if got := p.text(".message.assistant .branches"); !strings.Contains(got, "2 of 2") {
		t.Errorf("after Regenerate: %q", got)
	}
	second := p.content(1)
	p.button(".message.assistant", "Previous version")
	p.wait(`document.querySelector('.message.assistant .branches').innerText.includes('1 of 2')`)
	if got := p.content(1); got != want || second == want {
		t.Errorf("the first branch is %q, want %q; the second %q", got, want, second)
	}
	if got := eval[string](p, `document.activeElement.getAttribute('aria-label')`); got != "Next version" {
		t.Errorf("the focus is at %q, want the control of the branches", got)
	}

	// An edited question is a branch with an answer of its own.
	p.button(".message.user", "Edit")
	p.wait(`document.activeElement.matches('.editor textarea')`)
	p.fill(".editor textarea", "good morning")
	p.choose("base") // which draws the thread again
	p.choose("talker")
	p.button(".editor", "Send")
	p.answered(2)
	if got := p.text(".message.user"); !strings.Contains(got, "good morning") || !strings.Contains(got, "2 of 2") {
		t.Errorf("after the edit: %q", got)
	}
	p.say("and you?")
	p.answered(4)

	// It is there again after a reload, in the list too.
	p.goTo("chat")
	p.wait(`document.querySelectorAll('.message').length === 4 && document.querySelector('.conversations [aria-current]').innerText === 'hello'`)
	if got := eval[string](p, `document.querySelector('#chat-system').value`); got != "Be short." {
		t.Errorf("the system prompt is %q", got)
	}
}

// What is said before the kept conversations are read joins them.
func TestFastUser(t *testing.T) {
	p := open(t, "chat", nil)
	p.limits("8", "1")
	p.say("before")
	p.answered(2)
	p.wait(`document.querySelector('.conversations').innerText === 'before'`)
	const slow = `{ // a list of conversations that is read until window.read is set
		const all = IDBObjectStore.prototype.getAll;
		IDBObjectStore.prototype.getAll = function () {
			const wait = () => { if (!window.read) this.get('').onsuccess = wait; };
			wait();
			return all.call(this);
		};
	}`
	if _, err := chromedp.Call(p.ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: slow}); err != nil {
		t.Fatal(err)
	}
	p.goTo("chat")
	p.limits("8", "1")
	p.say("fast")
	p.answered(2)
	eval[bool](p, `window.read = true`)
	p.wait(`document.querySelector('.conversations').innerText === 'fast\nbefore' && document.querySelector('.message.user').innerText.includes('fast')`)
}

func TestConversations(t *testing.T) {
	p := open(t, "chat", nil)
	p.limits("8", "1")
	for _, text := range []string{"first", "second"} {
		p.button(".side", "New conversation")
		p.say(text)
		p.answered(2)
	}
	if got := p.text(".conversations"); got != "second\nfirst" {
		t.Errorf("the list is %q", got)
	}
	p.button(".side", "first")
	p.wait(`document.querySelector('.message.user').innerText.includes('first')`)

	p.button(".side", "Rename")
	p.fill("#chat-title", "the older one")
	p.press(kb.Enter)
	p.wait(`document.querySelector('.conversations [aria-current]').innerText === 'the older one' && !document.querySelector('dialog')`)

	p.button(".side", "Delete")
	p.wait(`document.querySelector('dialog[open]')`)
	p.press(kb.Escape)
	p.wait(`!document.querySelector('dialog')`)
	if got := p.count(".conversations li"); got != 2 {
		t.Errorf("%d conversations after Escape, want 2", got)
	}
	p.button(".side", "Delete")
	p.button("dialog", "Delete")
	p.wait(`document.querySelectorAll('.conversations li').length === 1`)
	p.goTo("chat")
	p.wait(`document.querySelector('.conversations').innerText === 'second'`)

	// What was exported can be read again; anything else is refused.
	const read = `(async (text) => { const files = new DataTransfer(); files.items.add(new File([text], 'x.json'));
		const input = document.querySelector('.side input[type=file]'); input.files = files.files; input.dispatchEvent(new Event('change')); return true; })(%s)`
	exported := eval[string](p, `new Promise((resolve) => { const make = URL.createObjectURL; URL.createObjectURL = (b) => { b.text().then(resolve); URL.createObjectURL = make; return make(b); };
		[...document.querySelectorAll('.manage button')].find((b) => b.textContent === 'Export').click(); })`)
	for _, bad := range []string{"{", "{}", strings.Replace(exported, `"parent": "root"`, `"parent": "nobody"`, 1), strings.Replace(exported, `"user"`, `"admin"`, 1)} {
		eval[bool](p, fmt.Sprintf(read, quoted(bad)))
		p.wait(`document.querySelector('.scroller > div > .problem')`)
		eval[bool](p, `(document.querySelector('.scroller > div').replaceChildren(), true)`)
	}
	eval[bool](p, fmt.Sprintf(read, quoted(exported)))
	p.wait(`document.querySelectorAll('.conversations li').length === 2`)
	if got := p.text(".conversations"); got != "second\nsecond" {
		t.Errorf("with the one that was read the list is %q", got)
	}
}

// endless is a server whose texts get no further than their first pieces: however slow the
// page is, it finds them being written.
type endless struct {
	atomic.Bool // they do end
	http.Handler
}

func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "completions") && !e.Load() {
		w = &halting{ResponseWriter: w, r: r}
	}
	e.Handler.ServeHTTP(w, r)
}

// halting lets some writes through; the next waits until the client has gone.
type halting struct {
	http.ResponseWriter
	r      *http.Request
	writes int
}

func (h *halting) Write(b []byte) (int, error) {
	if h.writes++; h.writes > 200 {
		<-h.r.Context().Done()
		return 0, io.ErrClosedPipe
	}
	return h.ResponseWriter.Write(b)
}

func (h *halting) Flush() { h.ResponseWriter.(http.Flusher).Flush() }

// A text that is stopped keeps what there is and can go on.
func TestStop(t *testing.T) {
	e := &endless{Handler: start(t, nil).Config.Handler}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	p := openAt(t, server, "chat")
	p.set("#model", "base")
	p.limits("1900", "3")
	p.set(".settings .slider input", "0")
	p.say("once")
	p.wait(`document.querySelector('#chat-send').textContent === 'Stop' && document.querySelector('.message.assistant .body').innerText.length > 20`)
	p.press(kb.Escape)
	p.answered(2)
	if got := p.text(".message.assistant .facts"); !strings.Contains(got, "stopped") {
		t.Errorf("of the answer is said %q", got)
	}
	first := p.content(1)

	// What is being written when another conversation is opened stays.
	p.button(".side", "New conversation")
	p.say("twice")
	p.wait(`document.querySelector('#chat-send').textContent === 'Stop'`)
	p.button(".side", "once")
	p.answered(2)
	p.button(".side", "twice")
	p.answered(2)
	if got := p.text(".message.user"); !strings.Contains(got, "twice") {
		t.Errorf("the conversation shows %q", got)
	}
	p.button(".side", "Delete")
	p.button("dialog", "Delete")
	p.wait(`document.querySelector('.message.user').innerText.includes('once')`)
	e.Store(true)
	p.limits("30", "3")
	p.button(".message.assistant", "Continue")
	p.wait(`document.querySelector('#chat-send').textContent === 'Stop' || document.querySelector('.message.assistant .branches')`)
	p.press(kb.Escape)
	p.answered(2)
	if got := p.content(1); !strings.HasPrefix(got, strings.TrimRight(first, "\uFFFD")) {
		t.Errorf("it goes on as %q, and was %q", got, first)
	}
}

// What the server refuses is told where the answer would be.
func TestChatError(t *testing.T) {
	p := open(t, "chat", func(o *serve.Options) { o.MaxTokens = 100 })
	p.limits("200", "1")
	p.say("hello")
	p.answered(2)
	if got := p.text(".thread .problem"); !strings.Contains(got, "max_tokens") {
		t.Errorf("the page says %q", got)
	}
	const below = `document.querySelector('.thread .problem').getBoundingClientRect().bottom - document.querySelector('.scroller').getBoundingClientRect().bottom`
	p.size(1200, 320)
	p.limits("20", "1.5")
	p.button(".message.assistant", "Try again")
	p.answered(2)
	if got := p.text(".thread .problem"); !strings.Contains(got, "seed") {
		t.Errorf("of the seed 1.5 the page says %q", got)
	}
	if got := eval[float64](p, below); got > 0 {
		t.Errorf("the problem ends %g pixels below what is in sight", got)
	}
	p.size(1200, 800)
	p.limits("20", "1")
	p.button(".message.assistant", "Try again")
	p.answered(2)
	if got := p.count(".thread .problem"); got != 0 {
		t.Errorf("%d problems after the second try", got)
	}
	p.allow("400")
}

// What a model writes is shown as text, whatever it is.
func TestMarkdown(t *testing.T) {
	p := open(t, "chat", nil)
	for text, want := range map[string]string{
		"a **b** *c* `d` ~~e~~":                "<p>a <strong>b</strong> <em>c</em> <code>d</code> <del>e</del></p>",
		"# t\n\ntext":                          "<h3>t</h3><p>text</p>",
		"- a\n- b\n  - c\n\nd":                 "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul><p>d</p>",
		"3. a\n4. b":                           `<ol start="3"><li>a</li><li>b</li></ol>`,
		"```go\na < b\n":                       `<pre tabindex="0" role="region" aria-label="Code, go"><code>a &lt; b` + "\n</code></pre>",
		"> a\n> b":                             "<blockquote><p>a<br>b</p></blockquote>",
		"| a | b |\n|---|--:|\n| 1 | 2 |":      `<div class="scroll"><table><thead><tr><th>a</th><th class="right">b</th></tr></thead><tbody><tr><td>1</td><td class="right">2</td></tr></tbody></table></div>`,
		"<img src=x onerror=alert(1)><b>x</b>": "<p>&lt;img src=x onerror=alert(1)&gt;&lt;b&gt;x&lt;/b&gt;</p>",
		"[x](javascript:alert(1))":             "<p>[x](javascript:alert(1))</p>",
		"[x](https://a.b/c)":                   `<p><a href="https://a.b/c" target="_blank" rel="noopener noreferrer nofollow">x</a></p>`,
		"snake_case_name 2*3*4":                "<p>snake_case_name 2<em>3</em>4</p>",
		"a\\*b\\*":                             "<p>a*b*</p>",
		"****":                                 "<hr>",
		"1. ":                                  "<ol><li></li></ol>",
	} {
		got := eval[string](p, fmt.Sprintf(`import('./page/markdown.js').then((m) => { const d = document.createElement('div'); d.append(...m.markdown(%s)); return d.innerHTML; })`, quoted(text)))
		if got != want {
			t.Errorf("%q\n got %s\nwant %s", text, got, want)
		}
	}
	// Of any text no character of a word is lost, and nothing takes long.
	for _, text := range []string{strings.Repeat("*a_b`[c](", 3000), strings.Repeat("> - 1. ", 400) + "x", strings.Repeat("|a", 5000) + "\n|-|"} {
		got := eval[float64](p, fmt.Sprintf(`import('./page/markdown.js').then((m) => { const t = performance.now(); m.markdown(%s); return performance.now() - t; })`, quoted(text)))
		if got > 20_000 { // a busy machine
			t.Errorf("%.20q... takes %.0f ms", text, got)
		}
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
