package serve

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files of a run directory that are shown. No others are.
const (
	runFile     = "run.json"      // what the run is
	stagesFile  = "stages.json"   // what its finished stages took
	evalFile    = "eval.json"     // what was measured, with samples
	metricsFile = "metrics.jsonl" // a line a step
	reportFile  = "report.html"
	rolloutDir  = "rollouts" // completions that a policy sampled
)

// Bounds of what is looked at.
const (
	maxRunDepth   = 4        // folders below Options.Runs
	maxRuns       = 1000     // listed
	maxRunFile    = 64 << 20 // bytes of a file that is read whole
	maxRunSamples = 64
	runIsLive     = 2 * time.Minute // since its last line
)

// runs are the run directories below a folder.
type runs struct{ root *os.Root }

// runInfo is a run in the list.
type runInfo struct {
	Name    string   `json:"name"` // its path in the folder, with slashes; ".": the folder
	Command string   `json:"command,omitempty"`
	Updated int64    `json:"updated"` // seconds since 1970
	Live    bool     `json:"live"`    // a step was logged of late
	Logs    []string `json:"logs"`    // its stages that have metrics, "" for the run itself
	Report  bool     `json:"report"`
}

// runLog is the steps of one stage.
type runLog struct {
	Name    string            `json:"name"`
	Updated int64             `json:"updated"`
	Last    int               `json:"last"`  // step
	Every   int               `json:"every"` // one of so many steps is here
	Rows    []json.RawMessage `json:"rows"`
}

// runDetail is all of a run.
type runDetail struct {
	runInfo
	Run     json.RawMessage `json:"run,omitempty"`
	Stages  json.RawMessage `json:"stages,omitempty"`
	Logs    []runLog        `json:"logs"` // in place of the names
	Samples []runSample     `json:"samples"`
}

// runSample is a text that the model of a run wrote.
type runSample struct {
	Prompt string   `json:"prompt,omitempty"`
	Text   string   `json:"text"`
	Score  *float64 `json:"score,omitempty"`
}

// listRuns is GET /v1/runs.
func (s *Server) listRuns(w *reply, r *http.Request) error {
	if s.o.Runs == nil {
		return noRuns()
	}
	list, err := (&runs{s.o.Runs}).list()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": list})
	return nil
}

func noRuns() error {
	return &Error{Status: http.StatusNotFound, Message: "no folder of runs is shown here: serve --runs DIR", Code: "no_runs"}
}

// oneRun is GET /v1/runs/NAME, and NAME/report.html.
func (s *Server) oneRun(w *reply, r *http.Request) error {
	if s.o.Runs == nil {
		return noRuns()
	}
	name := path.Clean(r.PathValue("name")) // none: the folder itself
	report := path.Base(name) == reportFile
	if report {
		name = path.Dir(name)
	}
	if !fs.ValidPath(name) || strings.Contains("/"+name, "/.") && name != "." {
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("%q is no name of a run", name), Code: "run_not_found"}
	}
	x := &runs{s.o.Runs}
	info, err := x.info(name)
	if err != nil || info == nil {
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no run %q: GET /v1/runs lists them", name), Code: "run_not_found"}
	}
	if report {
		return x.report(w, r, name)
	}
	var q runQuery
	if err := q.read(r.URL.Query()); err != nil {
		return err
	}
	d, err := x.detail(info, q)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, d)
	return nil
}

// runQuery says which steps are wanted.
type runQuery struct {
	log    *string // nil: all
	since  int     // steps behind this one
	points int     // rows of a log at most
}

const (
	defaultRunPoints = 1000
	maxRunPoints     = 20_000
)

func (q *runQuery) read(v url.Values) error {
	q.points = defaultRunPoints
	if v.Has("log") {
		q.log = new(v.Get("log"))
	}
	for _, f := range []struct {
		name     string
		value    *int
		from, to int
	}{{"since", &q.since, 0, math.MaxInt}, {"points", &q.points, 2, maxRunPoints}} {
		if !v.Has(f.name) {
			continue
		}
		n, err := strconv.Atoi(v.Get(f.name))
		switch {
		case err != nil:
			return wrong(f.name, fmt.Sprintf("%q is no number of steps", v.Get(f.name)))
		case n < f.from || n > f.to:
			return wrong(f.name, fmt.Sprintf("%d lies outside %d to %d", n, f.from, f.to))
		}
		*f.value = n
	}
	if q.since > 0 && q.log == nil {
		return wrong("since", "it needs log: steps are counted in each")
	}
	return nil
}

// list finds the runs: folders with a description, metrics or a report. What is inside
// a run belongs to it.
func (x *runs) list() ([]*runInfo, error) {
	list := []*runInfo{}
	err := fs.WalkDir(x.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			return fs.SkipDir // it has gone, or is not for us
		case !d.IsDir():
			return nil
		case name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case len(list) == maxRuns:
			return fs.SkipAll
		}
		info, err := x.info(name)
		if err == nil && info != nil {
			list = append(list, info)
			return fs.SkipDir
		}
		if name != "." && strings.Count(name, "/")+1 >= maxRunDepth {
			return fs.SkipDir
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b *runInfo) int { return int(b.Updated - a.Updated) })
	return list, err
}

// info is what the list says of a folder; nil if it is no run.
func (x *runs) info(name string) (*runInfo, error) {
	r := &runInfo{Name: name, Logs: []string{}}
	seen := func(file string) (at int64) {
		f, err := x.root.Stat(path.Join(name, file))
		if err != nil || !f.Mode().IsRegular() {
			return 0
		}
		r.Updated = max(r.Updated, f.ModTime().Unix())
		return f.ModTime().UnixMilli()
	}
	logged := map[string]int64{}
	described, report := seen(runFile), seen(reportFile)
	if at := seen(metricsFile); at > 0 {
		logged[""] = at
	}
	if described == 0 && report == 0 && len(logged) == 0 {
		return nil, nil
	}
	r.Report = report > 0
	d, err := x.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		if at := seen(path.Join(e.Name(), metricsFile)); at > 0 {
			logged[e.Name()] = at
		}
	}
	for log, at := range logged {
		r.Logs = append(r.Logs, log)
		r.Live = r.Live || time.Since(time.UnixMilli(at)) < runIsLive
	}
	slices.SortFunc(r.Logs, func(a, b string) int { // as they ended
		return cmp.Or(cmp.Compare(logged[a], logged[b]), cmp.Compare(a, b))
	})
	var head struct {
		Command string `json:"command"`
	}
	if data, err := x.read(path.Join(name, runFile)); err == nil && json.Unmarshal(data, &head) == nil {
		r.Command = head.Command
	}
	return r, nil
}

// read is a small file, whole.
func (x *runs) read(file string) ([]byte, error) {
	f, err := x.open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRunFile+1))
	if len(data) > maxRunFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", file, maxRunFile)
	}
	return data, err
}

// open is a file that is one: what waits for a writer is not opened.
func (x *runs) open(file string) (*os.File, error) {
	if f, err := x.root.Stat(file); err != nil {
		return nil, err
	} else if !f.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", file)
	}
	return x.root.Open(file)
}

// object is a file as JSON; nil where there is none, or no JSON in it.
func (x *runs) object(file string) json.RawMessage {
	data, err := x.read(file)
	if err != nil || !json.Valid(data) {
		return nil
	}
	var b bytes.Buffer
	json.Compact(&b, data)
	return b.Bytes()
}

// detail reads a run.
func (x *runs) detail(info *runInfo, q runQuery) (*runDetail, error) {
	d := &runDetail{runInfo: *info, Logs: []runLog{}, Samples: []runSample{}}
	for _, log := range info.Logs {
		if q.log != nil && *q.log != log {
			continue
		}
		l, err := x.log(path.Join(info.Name, log, metricsFile), q)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is being written anew
		} else if err != nil {
			return nil, err
		}
		l.Name = log
		d.Logs = append(d.Logs, *l)
	}
	if q.log != nil {
		if len(d.Logs) == 0 {
			return nil, &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("the run has no log %q", *q.log), Param: "log", Code: "log_not_found"}
		}
		return d, nil // steps alone
	}
	d.Run, d.Stages = x.object(path.Join(info.Name, runFile)), x.object(path.Join(info.Name, stagesFile))
	d.Samples = append(x.evaluated(info.Name), x.sampled(info.Name)...)
	return d, nil
}

// evaluated are the samples of an evaluation.
func (x *runs) evaluated(name string) []runSample {
	var e struct {
		Samples []runSample `json:"samples"`
	}
	data, err := x.read(path.Join(name, evalFile))
	if err != nil || json.Unmarshal(data, &e) != nil {
		return []runSample{}
	}
	return e.Samples[:min(len(e.Samples), maxRunSamples)]
}

// sampled are completions of the newest rollout of a policy.
func (x *runs) sampled(name string) []runSample {
	d, err := x.root.Open(path.Join(name, rolloutDir))
	if err != nil {
		return nil
	}
	defer d.Close()
	files, err := d.Readdirnames(-1)
	newest := ""
	for _, f := range files {
		if _, err := strconv.Atoi(strings.TrimSuffix(f, ".json")); err == nil {
			newest = max(newest, f) // of equal length
		}
	}
	if err != nil || newest == "" {
		return nil
	}
	var rollout struct {
		Samples []struct {
			Text  string   `json:"text"`
			Score *float64 `json:"score"`
			Skip  string   `json:"skip"`
		} `json:"samples"`
	}
	data, err := x.read(path.Join(name, rolloutDir, newest))
	if err != nil || json.Unmarshal(data, &rollout) != nil {
		return nil
	}
	var out []runSample
	for _, s := range rollout.Samples[:min(len(rollout.Samples), maxRunSamples)] {
		if s.Skip != "" {
			s.Score = nil
		}
		out = append(out, runSample{Text: s.Text, Score: s.Score})
	}
	return out
}

// report sends the page of a run. Nothing in it reaches the server or its page.
func (x *runs) report(w *reply, r *http.Request, name string) error {
	f, err := x.open(path.Join(name, reportFile))
	if err != nil {
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("the run %q has no report yet", name), Code: "report_not_found"}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, reportFile, info.ModTime(), f)
	return nil
}
