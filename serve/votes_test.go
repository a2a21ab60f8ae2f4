package serve_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/store"
	"github.com/foundling-lm/foundling/text/dataset"
)

// keeping opens a database for a server.
func keeping(t testing.TB) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "serve.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Votes are kept, listed, deleted, and exported as data that dpo reads.
func TestVotes(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store = keeping(t) })
	votes := h.URL + "/v1/votes"
	var ids []string
	for _, body := range []string{
		`{"model":"talker","messages":[{"role":"system","content":"Be <short>."},{"role":"user","content":[{"type":"text","text":"2+2?"}]}],"chosen":"4","rejected":"It is 5.","selectors":{"majority":"4"}}`,
		`{"prompt":"Once ","chosen":"upon","rejected":"twice"}`,
		`{"prompt":"Once ","chosen":"a","rejected":"b","tie":true}`,
	} {
		r, answer := post(t, votes, body)
		if r.StatusCode != http.StatusCreated {
			t.Fatalf("%s: got %d %s, want 201", body, r.StatusCode, answer)
		}
		ids = append(ids, at(decoded(t, answer), "id").(string))
	}
	_, answer := ask(t, "GET", votes+"?limit=2", "")
	page := decoded(t, answer)
	if got := []any{at(page, "data", 0, "id"), at(page, "data", 0, "tie"), at(page, "data", 1, "prompt"), at(page, "has_more")}; got[0] != ids[2] || got[1] != true || got[2] != "Once " || got[3] != true {
		t.Errorf("the first page is %s", answer)
	}
	_, answer = ask(t, "GET", votes+"?after="+ids[1], "")
	page = decoded(t, answer)
	if got := []any{at(page, "data", 0, "messages", 1, "content"), at(page, "data", 0, "chosen"), at(page, "data", 0, "selectors", "majority"), at(page, "has_more")}; got[0] != "2+2?" || got[1] != "4" || got[2] != "4" || got[3] != false {
		t.Errorf("the second page is %s", answer)
	}

	r, answer := ask(t, "GET", votes+"/export", "")
	if r.StatusCode != 200 || bytes.Count(answer, []byte("\n")) != 2 {
		t.Fatalf("the export is %d %s, want 2 lines", r.StatusCode, answer)
	}
	file := filepath.Join(t.TempDir(), "votes.jsonl")
	if err := os.WriteFile(file, answer, 0o600); err != nil {
		t.Fatal(err)
	}
	var got []string
	for rec, err := range dataset.Read(file, dataset.Options{Kinds: []dataset.Kind{dataset.Preference}}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rec.Prompt.String()+"|"+rec.Chosen.String()+"|"+rec.Rejected.String())
	}
	if want := "Be <short>.\n\n2+2?|4|It is 5.;Once |upon|twice"; strings.Join(got, ";") != want {
		t.Errorf("dpo reads %q, want %q", got, want)
	}

	for _, want := range []int{200, 404} {
		if r, answer := ask(t, "DELETE", votes+"/"+ids[0], ""); r.StatusCode != want {
			t.Errorf("deleting it: got %d %s, want %d", r.StatusCode, answer, want)
		}
	}
	if _, answer := ask(t, "GET", votes+"/export", ""); bytes.Contains(answer, []byte("2+2")) {
		t.Errorf("a deleted vote is exported: %s", answer)
	}
}

// A vote with a name of the client's own is kept once, as it was said last.
func TestNamedVote(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store = keeping(t) })
	const id = "0123456789_abcDEF-"
	for i, want := range []int{201, 200, 200} {
		body := fmt.Sprintf(`{"prompt":"p","chosen":"%d","rejected":"b"}`, i)
		if r, answer := ask(t, "PUT", h.URL+"/v1/votes/"+id, body); r.StatusCode != want || at(decoded(t, answer), "id") != id {
			t.Errorf("the vote, the %d. time: got %d %s, want %d", i+1, r.StatusCode, answer, want)
		}
	}
	if _, answer := ask(t, "GET", h.URL+"/v1/votes/export", ""); bytes.Count(answer, []byte("\n")) != 1 || !bytes.Contains(answer, []byte(`"2"`)) {
		t.Errorf("the export is %s, want the last one alone", answer)
	}
	for _, id := range []string{"export", "0123456789abcde", strings.Repeat("a", 65), "0123456789abcde%20f"} {
		if r, answer := ask(t, "PUT", h.URL+"/v1/votes/"+id, `{"prompt":"p","chosen":"a","rejected":"b"}`); r.StatusCode != 400 || at(decoded(t, answer), "error", "param") != "id" {
			t.Errorf("%s: got %d %s, want 400 and param id", id, r.StatusCode, answer)
		}
	}
}

func TestVoteErrors(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store, o.MaxMessages = keeping(t), 1 })
	user := `"messages":[{"role":"user","content":"hi"}]`
	for _, c := range []struct{ body, param string }{
		{`{` + user + `,"rejected":"b"}`, "chosen"},
		{`{` + user + `,"chosen":"a","rejected":""}`, "rejected"},
		{`{` + user + `,"chosen":"a","rejected":"a"}`, "rejected"},
		{`{` + user + `,"chosen":"a","rejected":"b","selectors":["sum"]}`, "selectors"},
		{`{` + user + `,"chosen":"a","rejected":"b","prompt":"p"}`, "prompt"},
		{`{"chosen":"a","rejected":"b"}`, "messages"},
		{`{"chosen":"a","rejected":"b","messages":[{"role":"user","content":"x"},{"role":"user","content":"x"}]}`, "messages"},
		{`{"chosen":"a","rejected":"b","messages":[{"role":"king","content":"x"}]}`, "messages[0].role"},
		{`{` + user + `,"chosen":"a","rejected":"b","colour":1}`, "colour"},
	} {
		r, answer := post(t, h.URL+"/v1/votes", c.body)
		if r.StatusCode != 400 || at(decoded(t, answer), "error", "param") != c.param {
			t.Errorf("%s: got %d %s, want 400 and param %s", c.body, r.StatusCode, answer, c.param)
		}
	}
	for _, query := range []string{"limit=0", "limit=x", "limit=1001", "after=vote_1"} {
		if r, answer := ask(t, "GET", h.URL+"/v1/votes?"+query, ""); r.StatusCode != 400 {
			t.Errorf("%s: got %d %s, want 400", query, r.StatusCode, answer)
		}
	}
	without := start(t, nil)
	for _, c := range []struct{ method, path string }{{"GET", "/v1/votes"}, {"GET", "/v1/votes/export"}, {"DELETE", "/v1/votes/x"}} {
		if r, answer := ask(t, c.method, without.URL+c.path, ""); r.StatusCode != 404 || at(decoded(t, answer), "error", "code") != "no_database" {
			t.Errorf("%s %s without a database: got %d %s, want 404 no_database", c.method, c.path, r.StatusCode, answer)
		}
	}
}

// What a list is to hold stands in the address alone: a form in a body, which a request of
// this kind has none of, is not read.
func TestVotesFormIgnored(t *testing.T) {
	h := start(t, func(o *serve.Options) { o.Store = keeping(t) })
	form := "--x\r\nContent-Disposition: form-data; name=\"limit\"\r\n\r\nmany\r\n--x--\r\n"
	r, err := http.NewRequest(http.MethodGet, h.URL+"/v1/votes", strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	if a.StatusCode != http.StatusOK {
		t.Errorf("got %s, want 200", a.Status)
	}
}
