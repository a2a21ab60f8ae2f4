package web_test

import (
	"os"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/serve"
)

// stories is a small model that was trained, for pictures and for texts of words.
func stories(t *testing.T) func(*serve.Options) {
	t.Helper()
	m, err := foundling.Open(golden.Data(t, "models", "stories260K", "hf"), foundling.Options{Threads: 2, CacheBytes: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return func(o *serve.Options) { o.Models = []serve.Model{{Name: "stories260K", Model: m}} }
}

// TestPictures draws the page for people to look at: FOUNDLING_SHOTS is the folder.
// light-token.png is docs/page.png.
func TestPictures(t *testing.T) {
	if os.Getenv("FOUNDLING_SHOTS") == "" {
		t.Skip("FOUNDLING_SHOTS is not set")
	}
	p := open(t, "chat", stories(t))
	theme := func(name string) {
		eval[bool](p, `(document.documentElement.dataset.theme = "`+name+`", true)`)
	}
	for _, name := range []string{"light", "dark"} {
		theme(name)
		p.shoot(name + "-empty")
	}
	p.set(".settings .knobs .slider:nth-child(2) input", "60")
	p.set(".settings .knobs .slider:nth-child(3) input", "0.9")
	p.set(".settings .knobs .slider:nth-child(4) input", "0.05")
	p.limits("120", "4")
	p.say("Once upon a time, there was a little girl named Lily.")
	p.answered(2)
	p.shoot("dark-text")
	p.click("#chat-tokens")
	p.shoot("dark-tokens")
	theme("light")
	p.shoot("light-tokens")
	p.click(`.message.assistant [data-token="11"]`)
	p.wait(`document.querySelector('dialog .dist')`)
	p.size(1200, 760)
	p.shoot("light-token")
	theme("dark")
	p.shoot("dark-token")
	p.size(400, 800)
	p.shoot("narrow-token")
	p.press(kb.Escape)
	p.shoot("narrow-tokens")
	p.size(1200, 800)
}

func TestPicturesOfCandidates(t *testing.T) {
	if os.Getenv("FOUNDLING_SHOTS") == "" {
		t.Skip("FOUNDLING_SHOTS is not set")
	}
	both := func(o *serve.Options) { stories(t)(o); withStore(t)(o) }
	p := open(t, "candidates", both)
	p.click(".candidates summary")
	p.set(".candidates .settings input[type=number]", "60")
	p.shoot("candidates-settings")
	p.click(".candidates summary")
	p.fill("#candidates-prompt", "One day, Tim and his dog")
	p.button(".candidates", "Write")
	p.wait(`document.querySelector('.selections')`)
	p.click(`[data-vote="best1"]`)
	p.size(1200, 1300)
	p.shoot("candidates-light")
	p.button(".verdict", "Vote")
	p.wait(`document.querySelectorAll('.votes tbody tr').length > 0`)
	eval[bool](p, `(document.documentElement.dataset.theme = "dark", true)`)
	p.shoot("candidates-dark")
}
