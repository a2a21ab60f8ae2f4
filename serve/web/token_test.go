package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"
)

// stored is a message of the last conversation, as the browser keeps it.
type stored struct {
	Content string
	Seed    string
	Tokens  []struct {
		ID     int32
		Text   string
		Forced bool
	}
}

func (p *page) stored(n int) (m stored) {
	p.t.Helper()
	text := eval[string](p, fmt.Sprintf(`import('./page/store.js').then(async (s) => {
		const t = await import('./page/conversation.js'); return JSON.stringify(t.path((await s.list())[0])[%d]); })`, n))
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		p.t.Fatal(err)
	}
	return m
}

// A token is opened by keyboard; the sliders show what the server says of their settings;
// another token is written and the text goes on.
func TestToken(t *testing.T) {
	p := open(t, "chat", nil)
	p.set("#model", "base")
	p.limits("16", "5")
	p.say("once")
	p.answered(2)
	first := p.stored(1)
	p.click("#chat-tokens")
	if got := p.count(".strip [data-token]"); got != len(first.Tokens) || got < 3 {
		t.Fatalf("%d tokens are shown, the answer has %d", got, len(first.Tokens))
	}
	if got := p.count(`.strip [tabindex="0"]`); got != 1 {
		t.Errorf("%d tokens are stops of the Tab key, want 1", got)
	}
	eval[bool](p, `(document.querySelector('.strip [tabindex="0"]').focus(), true)`)
	p.press(kb.ArrowRight + kb.ArrowRight + kb.ArrowLeft)
	p.press(kb.Enter)
	p.wait(`document.querySelector('dialog .dist')`)
	if got := p.text("dialog .where"); !strings.Contains(got, fmt.Sprintf("Token 2 of %d", len(first.Tokens))) {
		t.Errorf("the dialog is about %q", got)
	}
	p.accessible()

	// What the sliders say is the server's.
	p.set("dialog .slider:nth-child(2) input", "7")
	p.set("dialog .slider:nth-child(4) input", "0.9")
	var ids []string
	for _, token := range first.Tokens {
		ids = append(ids, fmt.Sprint(token.ID))
	}
	r, err := http.Post(p.server.URL+"/v1/explain", "application/json", strings.NewReader(fmt.Sprintf(
		`{"model":"base","prompt":"once","completion_ids":[%s],"position":1,"seed":5,"temperature":0.8,"top_k":7,"min_p":0.9}`, strings.Join(ids, ","))))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var want struct {
		Steps []struct {
			Name          string
			Kept, Removed int
		}
		Final []struct{ ID int32 }
	}
	if err := json.NewDecoder(r.Body).Decode(&want); err != nil {
		t.Fatal(err)
	}
	for _, s := range want.Steps {
		if title := map[string]string{"top_k": "Top-k", "min_p": "Min-p"}[s.Name]; title != "" {
			p.wait(fmt.Sprintf(`[...document.querySelectorAll('dialog .steps tr')].some((r) => r.innerText.startsWith(%q) && r.innerText.includes('%d left') && r.innerText.includes('removes %d'))`, title, s.Kept, s.Removed))
		}
	}
	p.wait(fmt.Sprintf(`document.querySelectorAll('dialog .dist tbody tr:not(.out)').length === %d`, len(want.Final)))
	p.button("dialog", "Next →")
	p.wait(fmt.Sprintf(`document.querySelector('dialog .where').innerText.includes('Token 3 of %d')`, len(first.Tokens)))
	p.shoot("token")

	// Another token: the answer has a second version with it.
	p.wait(`!document.querySelector('.figures').hasAttribute('aria-busy')`)
	p.click("dialog .dist tbody tr:nth-child(9) button")
	p.wait(`!document.querySelector('dialog') && document.querySelector('.message.assistant .branches')`)
	p.answered(2)
	forced := p.stored(1)
	for i, token := range forced.Tokens[:min(3, len(forced.Tokens))] {
		if same := token.ID == first.Tokens[i].ID; same != (i < 2) || token.Forced != (i == 2) {
			t.Errorf("token %d is %d, it was %d; forced: %v", i, token.ID, first.Tokens[i].ID, token.Forced)
		}
	}
	if got := p.count(".strip .forced"); got != 1 {
		t.Errorf("%d tokens are marked as forced, want 1", got)
	}
	if len(forced.Tokens) < 4 {
		t.Errorf("the text did not go on: %v", forced.Tokens)
	}
	p.button(".message.assistant", "Previous version")
	p.wait(`document.querySelector('.message.assistant .branches').innerText.includes('1 of 2')`)
	if got := p.stored(1); got.Content != first.Content {
		t.Errorf("the first version is %q, it was %q", got.Content, first.Content)
	}
}
