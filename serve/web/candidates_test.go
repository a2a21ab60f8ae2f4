package web_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
)

// withStore gives a server a database.
func withStore(t *testing.T) func(*serve.Options) {
	t.Helper()
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "votes.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return func(o *serve.Options) { o.Store = db }
}

// Several texts come side by side, the selectors' choices are the server's, a vote is kept
// and exported.
func TestCandidates(t *testing.T) {
	p := open(t, "candidates", withStore(t))
	p.set("#model", "base")
	p.click(".candidates summary")
	p.set(".candidates .settings .slider input", "3")
	p.set(".candidates .settings input[type=number]", "20")
	p.set(".candidates .settings label.field:nth-child(2) input[type=number]", "9")
	p.fill("#candidates-prompt", "func")
	p.button(".candidates", "Write")
	p.wait(`document.querySelector('.selections') && document.querySelectorAll('.candidates .cards .card').length === 3`)
	want := ask(t, p, "/v1/completions", `{"model":"base","prompt":"func","max_tokens":20,"seed":9}`)
	if got := eval[string](p, `document.querySelector('.candidates .cards .plain').textContent`); got != want {
		t.Errorf("the first text is %q, the server says %q", got, want)
	}
	if got := p.count(".selections tbody tr"); got != 6 {
		t.Errorf("%d selectors have a row, want 6: %s", got, p.text(".selections"))
	}
	if got := p.count(".candidates .cards .badge"); got < 5 {
		t.Errorf("%d choices are marked at the texts, want one of each selector", got)
	}
	p.shoot("candidates")

	// One best text is better than the two others.
	p.click(`[data-vote="best1"]`)
	p.wait(`document.activeElement.dataset.vote === 'best1' && document.querySelector('.verdict').innerText.includes('B is better than A, C: 2 pairs')`)
	p.click(`[data-vote="worst0"]`)
	p.wait(`document.querySelector('.verdict').innerText.includes('B is better than A: 1 pair')`)
	p.button(".verdict", "Vote")
	p.wait(`document.querySelectorAll('.votes tbody tr').length === 1`)
	if got := p.text(".verdict"); !strings.Contains(got, "Kept: 1 pair") {
		t.Errorf("after the vote: %q", got)
	}
	r, err := http.Get(p.server.URL + "/v1/votes/export")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(lines); !strings.Contains(got, `"prompt":"func"`) || strings.Count(got, "\n") != 1 {
		t.Errorf("the export is %s", got)
	}
	for _, i := range []int{0, 1} {
		text := eval[string](p, fmt.Sprintf(`document.querySelectorAll('.candidates .cards .plain')[%d].textContent`, i))
		if !strings.Contains(string(lines), quoted(text)) {
			t.Errorf("the export lacks text %d, %s: %s", i, quoted(text), lines)
		}
	}
	p.click(".votes tbody button")
	p.wait(`document.querySelector('.votes').innerText.includes('None yet')`)

	// A tie is no vote for one of the two.
	eval[bool](p, `fetch('v1/votes', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"model":"base","prompt":"x","chosen":"b","rejected":"c","tie":true}'}).then((r) => r.ok)`)
	p.click("#tab-chat")
	p.click("#tab-candidates")
	p.wait(`document.querySelector('.votes tbody tr')`)
	if got := p.text(".votes tbody td:nth-child(2)"); got != "tie b is as good as c" {
		t.Errorf("the tie is shown as %q", got)
	}

	// The vote covers nothing that one marks, and is not asked for where nothing was written.
	p.size(1280, 900)
	eval[bool](p, `(window.scrollTo(0, 0), true)`)
	if over := eval[[]string](p, `[...document.querySelectorAll('[data-vote]')].filter((b) => {
		const r = b.getBoundingClientRect(), top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
		return top && !b.contains(top); }).map((b) => b.dataset.vote)`); len(over) > 0 {
		t.Errorf("something covers %v", over)
	}
	p.set("#candidates-prompt", strings.Repeat("a", 3000))
	p.button(".candidates", "Write")
	p.wait(`document.querySelector('.candidates .problem')?.innerText.includes('context') && !document.querySelector('.verdict').checkVisibility()`)
	if wide, page := eval[float64](p, `document.querySelector('.candidates .problem').offsetWidth`), eval[float64](p, `document.querySelector('#candidates-prompt').offsetWidth`); wide != page {
		t.Errorf("the problem is %g pixels wide, the page %g", wide, page)
	}
	p.allow("400")
}

func TestCandidatesWithoutDatabase(t *testing.T) {
	p := open(t, "candidates", nil)
	p.wait(`document.querySelector('.votes').innerText.includes('keeps no votes')`)
	p.allow("404")
}
