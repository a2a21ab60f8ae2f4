package serve_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/serve"
)

// files writes a tree.
func files(t testing.TB, dir string, tree map[string]string) {
	t.Helper()
	for name, content := range tree {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// metrics is a log of steps from one to another, every tenth with held-out figures.
func metrics(from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, `{"step":%d,"loss":%g`, i, 5/float64(i))
		if i%10 == 0 {
			fmt.Fprintf(&b, `,"val_loss":%g`, 6/float64(i))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func withRuns(t *testing.T) (url, dir string) {
	dir = t.TempDir()
	files(t, dir, map[string]string{
		"secret.txt":                                        "never shown",
		"runs/raised/run.json":                              `{"version":1,"command":"raise","seed":7}`,
		"runs/raised/stages.json":                           `{"stages":[{"name":"tokenizer","seconds":2}]}`,
		"runs/raised/eval.json":                             `{"samples":[{"prompt":"func","text":"func main() {}"}]}`,
		"runs/raised/report.html":                           "<h1>a report</h1><script>alert(1)</script>",
		"runs/raised/training/" + steps:                     metrics(1, 250),
		"runs/raised/sft/" + steps:                          metrics(1, 30) + `{"step":31,"lo`,
		"runs/raised/weights.safetensors":                   "weights",
		"runs/deep/er/policy/run.json":                      `{"version":1,"command":"ppo"}`,
		"runs/deep/er/policy/" + steps:                      metrics(1, 5),
		"runs/deep/er/policy/rollouts/000001.json":          `{"samples":[{"text":"old","score":1}]}`,
		"runs/deep/er/policy/rollouts/000012.json":          `{"samples":[{"text":"new","score":0.5},{"text":"cut","score":0,"skip":"too long"}]}`,
		"runs/deep/er/policy/rollouts/000013.answers.jsonl": `{}`,
		"runs/.hidden/run.json":                             `{}`,
		"runs/lab/report.html":                              "<p>lab</p>",
		"runs/nothing/here.txt":                             "x",
		"outside/run.json":                                  `{"command":"outside"}`,
		"outside/report.html":                               "outside",
	})
	now := time.Now()
	os.Chtimes(filepath.Join(dir, "runs/raised/training", steps), now, now.Add(-time.Hour))
	os.Chtimes(filepath.Join(dir, "runs/raised/sft", steps), now, now.Add(-time.Minute))
	os.Chtimes(filepath.Join(dir, "runs/deep/er/policy", steps), now, now.Add(-time.Hour))
	os.Symlink(filepath.Join(dir, "outside"), filepath.Join(dir, "runs/link"))
	os.Mkdir(filepath.Join(dir, "runs/forged"), 0o755)
	os.WriteFile(filepath.Join(dir, "runs/forged/run.json"), []byte("{}"), 0o644)
	os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(dir, "runs/forged/report.html"))
	root, err := os.OpenRoot(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return start(t, func(o *serve.Options) { o.Runs = root }).URL + "/v1/runs", filepath.Join(dir, "runs")
}

const steps = "metrics.jsonl"

func get(t testing.TB, url string) (*http.Response, []byte) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, answer
}

func TestRuns(t *testing.T) {
	url, dir := withRuns(t)
	var list struct {
		Data []struct {
			Name, Command string
			Logs          []string
			Report, Live  bool
		}
	}
	_, a := get(t, url)
	if err := json.Unmarshal(a, &list); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, r := range list.Data {
		got[r.Name] = fmt.Sprintf("%s %q %t %t", r.Command, r.Logs, r.Report, r.Live)
	}
	want := map[string]string{
		"raised":         `raise ["training" "sft"] true true`,
		"deep/er/policy": `ppo [""] false false`,
		"lab":            ` [] true false`,
		"forged":         ` [] false false`,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}

	_, a = get(t, url+"/raised")
	v := decoded(t, a)
	if got := fmt.Sprintln(at(v, "run", "seed"), at(v, "stages", "stages", 0, "name"), at(v, "samples", 0, "text"), at(v, "logs", 0, "name"),
		at(v, "logs", 0, "last"), len(at(v, "logs", 0, "rows").([]any)), at(v, "logs", 1, "last"), at(v, "logs", 1, "rows", 29, "val_loss")); got != "7 tokenizer func main() {} training 250 250 30 0.2\n" {
		t.Errorf("got %s of %s", got, a)
	}
	_, a = get(t, url+"/deep/er/policy")
	if got := fmt.Sprint(at(decoded(t, a), "samples")); got != "[map[score:0.5 text:new] map[text:cut]]" {
		t.Errorf("samples %s", got)
	}

	// What was written since a step.
	f, err := os.OpenFile(filepath.Join(dir, "raised/training", steps), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(metrics(251, 253))
	f.Close()
	_, a = get(t, url+"/raised?log=training&since=250")
	v = decoded(t, a)
	if got := fmt.Sprint(len(at(v, "logs", 0, "rows").([]any)), at(v, "logs", 0, "rows", 0, "step"), at(v, "logs", 0, "last"), at(v, "live"), at(v, "run")); got != "3 251 253 true <nil>" {
		t.Errorf("since 250: %s of %s", got, a)
	}
}

// Of a long log a part is sent, with the held-out figures and the last step.
func TestRunsThinned(t *testing.T) {
	url, dir := withRuns(t)
	files(t, dir, map[string]string{"long/" + steps: metrics(1, 20_003)})
	_, a := get(t, url+"/long?points=100")
	v := decoded(t, a)
	rows := at(v, "logs", 0, "rows").([]any)
	if n := len(rows); n < 200 || n > 401 || at(rows, 0, "step") != 1.0 || at(rows, n-1, "step") != 20_003.0 {
		t.Errorf("%d rows from %v to %v", n, at(rows, 0), at(rows, n-1))
	}
	before, held := 0.0, 0
	for _, r := range rows {
		s := at(r, "step").(float64)
		if s <= before {
			t.Fatalf("step %v behind %v", s, before)
		}
		if before = s; at(r, "val_loss") != nil {
			held++
		}
	}
	if held < 100 {
		t.Errorf("%d held-out figures", held)
	}
	// The end of it is found without reading what is before.
	for _, since := range []int{19_000, 20_000, 20_003, 3} {
		_, a = get(t, fmt.Sprintf("%s/long?log=&since=%d&points=20000", url, since))
		if rows := at(decoded(t, a), "logs", 0, "rows").([]any); len(rows) != 20_003-since || len(rows) > 0 && at(rows, 0, "step") != float64(since+1) {
			t.Errorf("since %d: %d rows from %v", since, len(rows), at(rows, 0))
		}
	}
}

// The report of a run is shut in, and nothing but what a run shows is to be had.
func TestRunsReport(t *testing.T) {
	url, _ := withRuns(t)
	r, a := get(t, url+"/raised/report.html")
	if r.StatusCode != 200 || !strings.Contains(string(a), "a report") || !strings.HasPrefix(r.Header.Get("Content-Security-Policy"), "sandbox; default-src 'none'") {
		t.Errorf("status %d, policy %q: %s", r.StatusCode, r.Header.Get("Content-Security-Policy"), a)
	}
	for _, path := range []string{
		"/raised/weights.safetensors", "/raised/run.json", "/nothing", "/raised/training", "/link", "/link/report.html", "/forged/report.html", "/.hidden",
		"/..%2fsecret.txt", "/..%2foutside", "/%2e%2e/outside/report.html", "/raised%2f..%2f..%2foutside", "//etc/passwd", "/raised/..%5c..%5coutside", "/raised%00",
		"/lab/training", "/absent", "/" + strings.Repeat("a", 5000), "/C:/windows",
	} {
		r, a := get(t, url+path)
		if path != "/raised/training" && r.StatusCode != 404 || strings.Contains(string(a), "never shown") || strings.Contains(string(a), `"outside"`) {
			t.Errorf("%s: status %d: %s", path, r.StatusCode, a)
		}
	}
	for _, c := range []struct{ query, param string }{{"since=5", "since"}, {"log=sft&since=-1", "since"}, {"points=1", "points"}, {"log=sft&point=5", "point"}} {
		r, a := get(t, url+"/raised?"+c.query)
		if got := at(decoded(t, a), "error", "param"); r.StatusCode != 400 || got != c.param {
			t.Errorf("%s: status %d, param %v, want 400 and %s", c.query, r.StatusCode, got, c.param)
		}
	}
	if r, _ := get(t, url+"/raised?log=judge"); r.StatusCode != 404 {
		t.Errorf("a log that is not there: status %d", r.StatusCode)
	}
	h := start(t, nil)
	if r, a := get(t, h.URL+"/v1/runs"); r.StatusCode != 404 || at(decoded(t, a), "error", "code") != "no_runs" {
		t.Errorf("without --runs: %d %s", r.StatusCode, a)
	}
}

// A folder may be a run itself.
func TestRunsOne(t *testing.T) {
	dir := t.TempDir()
	files(t, dir, map[string]string{"run.json": `{"command":"pretrain"}`, steps: metrics(1, 3), "report.html": "alone"})
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	h := start(t, func(o *serve.Options) { o.Runs = root })
	_, a := get(t, h.URL+"/v1/runs")
	if got := at(decoded(t, a), "data", 0, "name"); got != "." {
		t.Errorf("the folder's name is %v", got)
	}
	_, a = get(t, h.URL+"/v1/runs/")
	if got := at(decoded(t, a), "logs", 0, "last"); got != 3.0 {
		t.Errorf("got %s", a)
	}
	if _, a = get(t, h.URL+"/v1/runs/report.html"); string(a) != "alone" {
		t.Errorf("the report is %s", a)
	}
}

// Whatever stands in a log, what is sent is JSON.
func FuzzRunLog(f *testing.F) {
	dir := f.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { root.Close() })
	h := start(f, func(o *serve.Options) { o.Runs = root })
	f.Add([]byte(metrics(1, 12)))
	f.Add([]byte(`{"step":1e99}`))
	f.Add([]byte("{\"step\":1,\"loss\":\"\xff\"}\n[]\n"))
	f.Add([]byte(`{"step":1} {"step":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, steps), data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{"", "?log=&since=3"} {
			r, a := get(t, h.URL+"/v1/runs/"+query)
			if r.StatusCode != 200 || !json.Valid(a) {
				t.Errorf("status %d: %s", r.StatusCode, a)
			}
		}
	})
}
