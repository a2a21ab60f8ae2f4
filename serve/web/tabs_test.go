package web_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
)

// posted sends a body to the page's server and reads the answer.
func posted[T any](t testing.TB, h *httptest.Server, path, body string) (v T) {
	t.Helper()
	r, err := http.Post(h.URL+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil || r.StatusCode != 200 {
		t.Fatalf("%s: status %d, %v", path, r.StatusCode, err)
	}
	return v
}

// choose takes another model in the page's bar.
func (p *page) choose(model string) {
	p.t.Helper()
	p.set("#model", model)
}

func TestTokenizerTab(t *testing.T) {
	p := open(t, "tokenizer", nil)
	p.choose("base")
	p.fill("#tokenizer-text", "é!")
	p.wait(`document.querySelector('.tokenizer .figures').innerText.startsWith('4 tokens')`)
	if got := p.text(".tokenizer .figures"); !strings.Contains(got, "2 characters") || !strings.Contains(got, "3 bytes") {
		t.Errorf("the figures are %q", got)
	}
	if got := eval[string](p, `[...document.querySelectorAll('.tokens .token')].map((b) => b.innerText).join(' ')`); got != "<|endoftext|> c3 a9 !" {
		t.Errorf("the tokens are %q", got)
	}
	p.click(".tokens .token:nth-of-type(2)")
	if got := p.text(".tokenizer .chosen"); got != `token 1: id 195, "c3", bytes c3` {
		t.Errorf("the chosen token is %q", got)
	}
	p.press(kb.ArrowRight + kb.ArrowRight)
	if got := p.text(".tokenizer .chosen"); got != `token 3: id 33, "!", bytes 21` {
		t.Errorf("by the arrow keys it is %q", got)
	}

	p.fill("#tokenizer-languages", "short: ab\nlong: äöü\nnothing")
	p.button(".tokenizer", "Count the tokens")
	p.wait(`document.querySelectorAll('.costs tbody tr').length === 2`)
	if got := eval[string](p, `[...document.querySelectorAll('.costs tbody tr')].map((r) => r.innerText.replaceAll(/\s+/g, ' ').trim()).join('|')`); got != "short 2 2 2 1.00 2 1.00|long 3 6 6 3.00 6 3.00" {
		t.Errorf("the costs are %q", got)
	}
	p.shoot("tokenizer")
}

func TestStructuredTab(t *testing.T) {
	p := open(t, "structured", nil)
	state := func(want string) {
		t.Helper()
		p.wait(fmt.Sprintf(`document.querySelector('#structured-state').innerText.startsWith(%q)`, want))
	}
	state("Valid so far")
	p.wait(`document.querySelectorAll('.mask tbody tr').length > 0`)
	if got := p.text(".mask-summary"); !strings.HasPrefix(got, "1 of 2") { // {
		t.Errorf("before anything is written: %q", got)
	}
	p.accessible() // where the table is at its widest

	// A schema is looked at as it is typed.
	p.fill("#structured-source", `{"type":"nothing"}`)
	p.wait(`document.querySelector('#structured-notes').innerText.includes('nothing')`)
	p.allow("400")
	p.fill("#structured-source", `{"type":`)
	p.wait(`document.querySelector('#structured-notes').innerText.includes('not JSON yet')`)
	p.fill("#structured-source", `{"enum":[true,null,"a b"]}`)
	state("Valid so far")

	// The model, of random weights, writes within it.
	p.button(".structured", "Write")
	state("Valid and complete")
	if got := eval[string](p, `String(JSON.parse(document.querySelector('#structured-answer').value))`); got != "true" && got != "null" && got != "a b" {
		t.Errorf("the answer is %s", got)
	}
	p.shoot("structured")

	p.set("#structured-kind", "choices")
	p.fill("#structured-source", "yes\nno")
	p.fill("#structured-answer", "yep")
	state("Does not fit")
	if got := p.text("#structured-state"); !strings.Contains(got, `byte 2`) || eval[string](p, `document.querySelector('#structured-answer').getAttribute('aria-invalid')`) != "true" {
		t.Errorf("the state is %q", got)
	}
	p.fill("#structured-answer", "no")
	state("Valid and complete")

	// Token by token: the one that is taken is written.
	if got := p.text("#structured-state"); !strings.Contains(got, "Nothing but its end may follow") {
		t.Errorf("the state is %q", got)
	}
	p.button(".structured", "Clear")
	p.wait(`document.querySelectorAll('.mask tbody button').length === 2`)
	p.button(".structured", "Take y")
	p.wait(`document.querySelector('#structured-answer').value === 'y'`)
	p.wait(`[...document.querySelectorAll('.mask tbody tr')].filter((r) => !r.matches('.refused')).map((r) => r.cells[0].innerText).join() === 'e'`)
	if got := eval[string](p, `document.querySelector('.mask tbody tr:not(.refused)').innerText.replaceAll(/\s+/g, ' ')`); !strings.Contains(got, "100 %") {
		t.Errorf("the only token that may come has %q", got)
	}
	p.button(".structured", "Next token")
	p.wait(`document.querySelector('#structured-answer').value === 'ye'`)
	p.button(".structured", "Next token")
	p.wait(`document.querySelector('#structured-answer').value === 'yes'`)
	state("Valid and complete")

	// Free text breaks the format, and the page says so.
	p.click("#structured-held")
	p.button(".structured", "Write")
	state("Does not fit")
	p.choose("base")
	state("Valid so far")
	if got := eval[string](p, `document.querySelector('#structured-answer').value`); got != "" {
		t.Errorf("another model goes on with %q", got)
	}
}

func TestAttentionTab(t *testing.T) {
	p := open(t, "attention", nil)
	p.choose("base")
	p.fill("#attention-text", "a cat")
	p.wait(`document.querySelectorAll('.attention .look').length === 6`)
	p.wait(`document.querySelectorAll('.heads .head').length === 4`)
	want := posted[struct {
		Weights []struct{ Weights [][]float64 }
	}](t, p.server, "/v1/attention", `{"model":"base","text":"a cat","layer":1,"head":0}`).Weights[0].Weights
	p.size(300, 800)
	if got := eval[[]float64](p, `[...document.querySelectorAll('.heads .head')].map((b) => b.getBoundingClientRect().left - b.closest('.layer').firstChild.getBoundingClientRect().right)`); slices.Min(got) < 0 {
		t.Errorf("heads stand below the name of their layer: %v", got)
	}
	p.size(1200, 800)
	p.click(`.heads [data-head="0.1"]`)
	p.press(kb.ArrowRight + kb.Enter)
	p.wait(`document.querySelector('.large h3').innerText === 'Layer 1, head 0'`)

	// The arrow keys choose the token that looks back.
	p.click(".attention .look:nth-child(6)")
	p.press(kb.ArrowLeft)
	p.wait(`document.querySelector('.attention .look[aria-pressed=true]').innerText === 'a' && document.activeElement.innerText === 'a'`)
	rows := eval[[][]string](p, `[...document.querySelectorAll('.attention tbody tr')].map((r) => [...r.cells].map((c) => c.innerText.trim()))`)
	if len(rows) != 5 {
		t.Fatalf("%d tokens are looked at, want 5: %v", len(rows), rows)
	}
	before := 1.0
	for _, row := range rows {
		var place int
		var share float64
		fmt.Sscan(row[0], &place)
		fmt.Sscanf(row[2], "%g", &share)
		if math.Abs(share/100-want[4][place]) > 0.006 || share/100 > before+1e-9 {
			t.Errorf("token %d has %s, the server says %g", place, row[2], want[4][place])
		}
		before = share / 100
	}
	if n := eval[int](p, `(() => { const c = document.querySelector('.map'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
		return new Set(Array.from({length: d.length / 4}, (_, i) => [d[4*i], d[4*i+1], d[4*i+2]].join())).size; })()`); n < 6 {
		t.Errorf("the map has %d colours", n)
	}
	p.shoot("attention")

	// With messages, which base does not know.
	p.choose("talker")
	p.click("#attention-chat")
	p.wait(`document.querySelector('.attention .strip').innerText.includes('user')`)
	p.fill("#attention-text", strings.Repeat("a", 600))
	p.wait(`/6\d\d tokens, between 1 and 512 can be looked at/.test(document.querySelector('.attention .problem')?.innerText)`)
	p.allow("400")
}

func TestCompareTab(t *testing.T) {
	p := open(t, "compare", nil)
	p.fill("#compare-prompt", "hello")
	p.fill("#compare-seed", "7")
	p.set(".compare .settings .slider:nth-child(2) input", "24")
	p.button(".compare", "Write")
	p.wait(`document.querySelectorAll('.compare article dd').length === 9`)
	type answer struct {
		Choices []struct {
			Text    string
			Message struct{ Content string }
		}
		Usage struct {
			Completion int `json:"completion_tokens"`
		}
	}
	whole := posted[answer](t, p.server, "/v1/chat/completions", `{"model":"talker","messages":[{"role":"user","content":"hello"}],"seed":7,"temperature":0.7,"max_tokens":24}`)
	chat := whole.Choices[0].Message.Content
	text := posted[answer](t, p.server, "/v1/completions", `{"model":"base","prompt":"hello","seed":7,"temperature":0.7,"max_tokens":24}`).Choices[0].Text
	got := eval[[]string](p, `[...document.querySelectorAll('.compare article .text')].map((e) => e.textContent)`)
	if len(got) != 2 || got[0] != chat || got[1] != text {
		t.Errorf("got %q, want %q", got, []string{chat, text})
	}
	if got := p.text(".compare article dl"); !strings.Contains(got, fmt.Sprintf("Tokens\n%d\n", whole.Usage.Completion)) || !strings.Contains(got, "%") {
		t.Errorf("the figures are %q", got)
	}
	p.shoot("compare")
	if got := eval[[]float64](p, `[...document.querySelectorAll('.compare .figures')].map((f) => f.querySelector('dt:last-of-type').offsetTop - f.querySelector('dt').offsetTop)`); slices.Max(got) > 120 {
		t.Errorf("the figures are %v pixels apart", got)
	}

	// One model alone, stopped in a text that is long.
	seed := 1
	for ; seed < 50; seed++ {
		if posted[answer](t, p.server, "/v1/completions", fmt.Sprintf(`{"model":"base","prompt":"hello","seed":%d,"temperature":0.7,"max_tokens":500}`, seed)).Usage.Completion > 300 {
			break
		}
	}
	p.fill("#compare-seed", fmt.Sprint(seed))
	p.click(`.compare [value="talker"]`)
	p.set(".compare .settings .slider:nth-child(2) input", "500")
	eval[bool](p, `(() => {
		const button = (name) => [...document.querySelectorAll('.compare button')].find((b) => b.textContent === name);
		button('Write').click();
		new MutationObserver((_, o) => { // with the first piece, before any other
			if (document.querySelector('.compare .text').textContent) { o.disconnect(); button('Stop').click(); }
		}).observe(document.querySelector('.compare .text'), {childList: true});
		return true; })()`)
	p.wait(`document.querySelector('.compare article .badge').innerText === 'stopped'`)
	p.click(`.compare [value="base"]`)
	p.button(".compare", "Write")
	p.wait(`document.querySelector('.compare .problem')?.innerText.includes('Choose a model')`)
}

func TestTrustTab(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "memory.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := open(t, "trust", func(o *serve.Options) { o.Store = db })
	p.set(".trust .settings .slider:nth-child(1) input", "3")
	p.set(".trust .settings .slider:nth-child(3) input", "16")
	p.set("#trust-policy", "warn")
	for p.count(".trust .claim") == 0 { // the answer of a random model may have no sentence
		p.button(".trust", "Ask")
		p.wait(`document.querySelectorAll('.trust .sample').length === 3`)
	}
	measures := p.text(`.trust [aria-label="Measures"]`)
	for _, want := range []string{"Agreement", "Entropy of meanings", "P(true)", "Grounding", "Mean log-probability"} {
		if !strings.Contains(measures, want) {
			t.Errorf("the measures lack %s: %q", want, measures)
		}
	}
	if n := p.count(".trust .result .badge"); n != 4 { // the decision, and of each sample
		t.Errorf("%d badges", n)
	}
	if got := p.text(".trust .support"); !strings.HasPrefix(got, "Choose a sentence") {
		t.Errorf("before a sentence is chosen: %q", got)
	}
	p.click(".trust .claim")
	p.wait(`/upport(ed|s)/.test(document.querySelector('.trust .support').innerText) && document.querySelectorAll('.trust .claim[aria-pressed=true]').length === 1`)
	p.shoot("trust")

	// What is remembered is told to the model, and forgotten for good.
	p.fill("#trust-user", "ann")
	p.fill("#trust-fact", "Her dog is called Rex.")
	p.press(kb.Enter)
	p.wait(`document.querySelector('.trust section td:nth-child(2)')?.innerText === 'Her dog is called Rex.'`)
	p.fill("#trust-question", "What is the dog called?")
	p.click("#trust-memory")
	p.button(".trust", "Ask")
	p.wait(`document.querySelector('.trust .result li')?.innerText === 'Her dog is called Rex.'`)
	p.button(".trust", "Forget: Her dog is called Rex.")
	p.wait(`document.querySelector('.trust section').innerText.includes('Nothing is remembered.')`)
	if n := eval[int](p, `fetch('/v1/memory?user=ann').then((r) => r.json()).then((v) => v.data.length)`); n != 0 {
		t.Errorf("%d facts are left", n)
	}
}

// metrics is a log of steps from one to another.
func metrics(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, `{"step":%d,"loss":%g,"lr":0.001,"grad_norm":%g,"tokens":%d,"extra":{"reward":%g}`, i, 2+5/math.Sqrt(float64(i))+0.2*math.Sin(float64(i)*1.7), 1+math.Cos(float64(i))/3, i*100, float64(i)/100)
		if i%20 == 0 {
			fmt.Fprintf(&b, `,"val_loss":%g`, 2.1+5/math.Sqrt(float64(i)))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func TestRunsTab(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString(content)
		f.Close()
	}
	write("raised/run.json", `{"command":"raise","seed":7}`)
	write("raised/stages.json", `{"stages":[{"name":"tokenizer","what":"4096 tokens","seconds":2,"planned_seconds":3}]}`)
	write("raised/eval.json", `{"samples":[{"prompt":"func main","text":"() { <b>not bold</b> }"}]}`)
	write("raised/report.html", `<h1 id="in">a report</h1><script>parent.broken = true</script>`)
	write("raised/training/metrics.jsonl", metrics(1, 300))
	write("ppo/deep/metrics.jsonl", metrics(1, 5))
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() }) // the page looks at runs as long as it is open
	p := open(t, "runs/raised", func(o *serve.Options) { o.Runs = root })
	p.wait(`document.querySelectorAll('.runs .list button').length === 2`)
	p.wait(`document.querySelector('.runs .cards')?.innerText.includes('300')`)
	if got := p.text(".runs .detail"); !strings.Contains(got, "<b>not bold</b>") || !strings.Contains(got, "4096 tokens") || !strings.Contains(got, "live") {
		t.Errorf("the run shows %q", got)
	}
	if n := p.count(".chart"); n != 4 { // loss, gradient, rate, reward
		t.Errorf("%d charts", n)
	}
	points := func() int {
		return eval[int](p, `document.querySelector('.chart .line').getAttribute('points').split(' ').length`)
	}
	if got := points(); got != 300 {
		t.Errorf("the curve has %d points", got)
	}
	p.shoot("runs")

	// What is logged meanwhile comes by itself.
	write("raised/training/metrics.jsonl", metrics(301, 310))
	p.wait(`document.querySelector('.runs .cards').innerText.includes('310')`)
	if got := points(); got != 310 {
		t.Errorf("the curve has %d points, want 310", got)
	}
	p.click(".runs details summary")
	p.wait(`document.querySelector('.runs details tbody td').innerText === '310'`)

	// The report is there and can do nothing.
	p.button(".runs", "Show the report")
	p.wait(`document.querySelector('.runs iframe')`)
	p.wait(`performance.getEntriesByType('resource').some((e) => e.name.endsWith('/v1/runs/raised/report.html'))`)
	if eval[bool](p, `window.broken === true || document.querySelector('.runs iframe').contentDocument !== null`) {
		t.Error("the report reaches the page")
	}
	p.allow("sandbox")
	p.button(".runs", "Hide the report")

	p.click(`.runs .list [data-run="ppo/deep"]`)
	p.wait(`location.hash === '#runs/ppo/deep' && document.querySelector('.runs .detail h3')?.innerText === 'ppo/deep'`)
	p.wait(`document.querySelector('.runs .cards')?.innerText.includes('500 tokens')`)
	// Another stage begins.
	write("ppo/deep/value/metrics.jsonl", metrics(1, 2))
	p.wait(`document.querySelectorAll('.runs .logs button').length === 2`)
	p.click(`.runs .logs [data-log="value"]`)
	p.wait(`document.querySelector('.runs .cards').innerText.includes('200 tokens')`)
}

func TestRunsTabWithout(t *testing.T) {
	p := open(t, "runs", nil)
	p.wait(`document.querySelector('.runs .empty')?.innerText.includes('--runs DIR')`)
	p.allow("404")
}

func TestLabelTab(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "votes.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p := open(t, "label", func(o *serve.Options) { o.Store = db })
	votes := func() int { return eval[int](p, `fetch('/v1/votes').then((r) => r.json()).then((v) => v.data.length)`) }
	p.button(".label", "Try an example")
	p.wait(`document.querySelector('.label .pair')`)
	if got := eval[string](p, `getComputedStyle(document.querySelector('.label .middle')).flexDirection`); got != "row" {
		t.Errorf("the buttons stand in a %s: another tab's style", got)
	}
	left := eval[string](p, `document.querySelector('.label .sides section:first-child .text').textContent`)
	right := eval[string](p, `document.querySelector('.label .sides section:last-child .text').textContent`)
	p.shoot("label")
	p.button(`.label [aria-label="Right answer"]`, "Better2")
	p.wait(`document.querySelector('.label .progress').innerText.includes('1 of 3 judged')`)
	type vote struct {
		Chosen, Rejected, Prompt string
		Tie                      bool
	}
	last := func() vote {
		return eval[vote](p, `fetch('/v1/votes').then((r) => r.json()).then((v) => ({...v.data[0], Chosen: v.data[0].chosen, Rejected: v.data[0].rejected, Prompt: v.data[0].prompt, Tie: v.data[0].tie}))`)
	}
	if v := last(); v.Chosen != right || v.Rejected != left || !strings.HasPrefix(v.Prompt, "How do I keep bread") {
		t.Errorf("the vote is %+v, want %q before %q", v, right, left)
	}

	// The keys: undo, the left one, a tie, skip.
	p.press("u")
	p.wait(`document.querySelector('.label .progress').innerText.includes('0 of 3 judged')`)
	if n := votes(); n != 0 {
		t.Errorf("%d votes after undo", n)
	}
	p.press("1")
	p.wait(`document.querySelector('.label .progress').innerText.includes('1 of 3 judged')`)
	if v := last(); v.Chosen != left {
		t.Errorf("the vote is %+v, want %q", v, left)
	}
	p.press("0")
	p.wait(`document.querySelector('.label .progress').innerText.includes('2 of 3 judged, 1 ties')`)
	if v := last(); !v.Tie {
		t.Errorf("the vote is %+v, want a tie", v)
	}
	eval[bool](p, `fetch('/v1/votes').then((r) => r.json()).then((v) => fetch('/v1/votes/' + v.data[0].id, {method: 'DELETE'})).then((r) => r.ok)`)
	p.press("u") // a vote that is gone
	p.wait(`document.querySelector('.label .progress').innerText.includes('1 of 3 judged')`)
	p.allow("404")
	p.press("0")
	p.wait(`document.querySelector('.label .progress').innerText.includes('2 of 3 judged, 1 ties')`)

	// It goes on where it was.
	p.goTo("label")
	p.button(".label", "Try an example")
	p.wait(`document.querySelector('.label .progress').innerText.includes('2 of 3 judged')`)
	p.press("s") // the pair has the focus
	p.wait(`document.querySelector('.label .end')`)
	if n := votes(); n != 2 {
		t.Errorf("%d votes, want 2", n)
	}
	saved := eval[string](p, `(async () => {
		let blob; const make = URL.createObjectURL; URL.createObjectURL = (b) => (blob = b, make.call(URL, b));
		HTMLAnchorElement.prototype.click = () => {};
		[...document.querySelectorAll('.label button')].find((b) => b.textContent === 'Save as JSONL').click();
		return blob.text(); })()`)
	var pair map[string]string
	if err := json.Unmarshal([]byte(saved), &pair); err != nil || pair["chosen"] != left || pair["rejected"] != right {
		t.Errorf("saved %q (%v), want one pair with %q chosen", saved, err, left)
	}
}

// Files of others are read by their shapes.
func TestLabelFiles(t *testing.T) {
	p := open(t, "label", nil)
	eval[bool](p, `(() => { const d = new DataTransfer(), e = document.querySelector('#label-file');
		d.items.add(new File(['{"prompt":"p","chosen":"a","rejected":"b"}\n{"prompt":"q"}\n'], 'own.jsonl'));
		e.files = d.files; e.dispatchEvent(new Event('change')); return true; })()`)
	p.wait(`document.querySelector('.label .pair .prompt')?.innerText.includes('p') && document.querySelector('.label [role=status]').innerText.includes('line 2')`)
	shapes := []string{
		`{"instruction":"Add.","input":"1 and 2","output_1":"3","output_2":"4"}`,
		`{"messages":[{"role":"user","content":"hi"}],"chosen":[{"role":"assistant","content":"yes"}],"rejected":"no"}`,
		`{"chosen":"\n\nHuman: one\n\nAssistant: two\n\nHuman: three\n\nAssistant: good","rejected":"\n\nHuman: one\n\nAssistant: two\n\nHuman: three\n\nAssistant: bad"}`,
		`{"prompt":"same","answers":["x","x"]}`, `nonsense`,
	}
	got := eval[string](p, fmt.Sprintf(`import('/page/tabs/label-pairs.js').then((m) => JSON.stringify(m.readPairs(%q)))`, strings.Join(shapes, "\n")))
	const want = `{"pairs":[{"first":"3","second":"4","ranked":false,"prompt":"Add.\n\n1 and 2"},` +
		`{"first":"yes","second":"no","ranked":true,"messages":[{"role":"user","content":"hi"}]},` +
		`{"first":"good","second":"bad","ranked":true,"messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"},{"role":"user","content":"three"}]}],` +
		`"bad":[{"line":4,"why":"both answers are the same"},{"line":5,"why":"it is not JSON"}]}`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// Without a database verdicts stay in the browser.
func TestLabelTabWithout(t *testing.T) {
	p := open(t, "label", nil)
	p.button(".label", "Try an example")
	p.button(`.label [aria-label="Left answer"]`, "Better1")
	p.wait(`document.querySelector('.label .problem')`)
	p.allow("404")
	if got := p.text(".label .progress"); !strings.Contains(got, "0 of 3") {
		t.Errorf("a verdict that was not kept counts: %q", got)
	}
	p.click("#label-send")
	p.button(`.label [aria-label="Left answer"]`, "Better1")
	p.wait(`document.querySelector('.label .progress').innerText.includes('1 of 3 judged')`)
}
