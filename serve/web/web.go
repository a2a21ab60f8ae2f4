// Package web is the page that a server shows in a browser: plain HTML, style and
// modules of JavaScript, embedded as they are written. Nothing is built, nothing comes
// from elsewhere, so it works without a network.
//
// Handler answers for the page and its files. The page talks to the server that it came
// from through the interface that all clients use; nothing here is known to it alone.
//
// One tab is one file of assets/tabs, what it must export stands at the top of
// assets/main.js. Not here: what the page asks for (package serve).
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed assets
var embedded embed.FS

// policy is what the page may load and reach: this server. Scripts and styles are files,
// none stands in the page; other sites do not frame it.
const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// kinds are the media types of the files, which the machine's tables may not know.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// file is one of the page.
type file struct {
	content, kind string
	tag           string // changes with the content
}

// Handler is the page at / and its files below /page/.
func Handler() http.Handler {
	files := read()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/page/")
		if name == "/" {
			name = "index.html"
		}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		f, ok := files[name]
		if !ok {
			http.Error(w, "the page has no such file", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", f.kind)
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache") // asked for again after an update
		h.Set("ETag", f.tag)
		if r.Header.Get("If-None-Match") == f.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		if r.Method != http.MethodHead {
			w.Write([]byte(f.content)) // whoever has gone is not told
		}
	})
}

func read() map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(embedded, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(embedded, name)
		sum := sha256.Sum256(content)
		files[strings.TrimPrefix(name, "assets/")] = file{string(content), kinds[path.Ext(name)], `"` + hex.EncodeToString(sum[:12]) + `"`}
		return err
	})
	if err != nil {
		panic("web: " + err.Error()) // the files are in the program
	}
	return files
}
