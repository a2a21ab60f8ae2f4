package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/keys"
)

// object is a Kubernetes object, or a part of one.
type object = map[string]any

// at follows names and numbers into an object; nil: there is nothing.
func at(v any, steps ...any) any {
	for _, s := range steps {
		switch s := s.(type) {
		case string:
			m, _ := v.(object)
			v = m[s]
		case int:
			l, _ := v.([]any)
			if s >= len(l) {
				return nil
			}
			v = l[s]
		}
	}
	return v
}

func entries(v any, steps ...any) []any { l, _ := at(v, steps...).([]any); return l }

func word(v any, steps ...any) string {
	if v = at(v, steps...); v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// manifests are the objects of deploy/kubernetes by kind, one each.
func manifests(t *testing.T) map[string]object {
	t.Helper()
	dir := filepath.Join("..", "..", "deploy", "kubernetes")
	var c struct{ Resources []string }
	data, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err == nil {
		err = yaml.Unmarshal(data, &c)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, files := map[string]object{}, []string{"kustomization.yaml"}
	for _, name := range c.Resources {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, name)
		for d := yaml.NewDecoder(bytes.NewReader(data)); ; {
			var o object
			if err := d.Decode(&o); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			kind := word(o, "kind")
			if kind == "" || word(o, "apiVersion") == "" || all[kind] != nil {
				t.Fatalf("%s: a second %q, or no kind", name, kind)
			}
			all[kind] = o
		}
	}
	there, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(there) != len(files) {
		t.Errorf("files %v, the kustomization knows %v (%v)", there, files, err)
	}
	return all
}

// parsedServe is the command line as the program takes it, with the file of options
// that stands at configPath where it runs.
func parsedServe(t *testing.T, args []string, configPath, config string) *serveCmd {
	t.Helper()
	here := filepath.Join(t.TempDir(), "serve.yaml")
	if err := os.WriteFile(here, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	found := false
	args = slices.Clone(args)
	for i, a := range args {
		if a == configPath {
			args[i], found = here, true
		}
	}
	if !found {
		t.Errorf("%q names no %s", args, configPath)
	}
	var c cli
	if _, err := newParser(&c, func(int) {}).Parse(args); err != nil {
		t.Fatalf("%q with\n%s: %v", args, config, err)
	}
	return &c.Serve
}

// files are the paths that options name.
func (c *serveCmd) files() (all []string) {
	for _, m := range c.Model {
		_, p := modelName(m)
		all = append(all, p)
	}
	for _, p := range []string{c.guardFlags.Keys, c.TLSCert, c.TLSKey, c.Runs, c.Database} {
		if p != "" && p != "none" && !strings.Contains(p, "://") {
			all = append(all, p)
		}
	}
	return all
}

// volumeOf is the volume that a path lies in, and the file there.
func volumeOf(p string, mounts, volumes map[string]object) (object, string, error) {
	for dir := p; dir != "/" && dir != "."; dir = path.Dir(dir) {
		if m := mounts[dir]; m != nil {
			rest := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
			if sub := word(m, "subPath"); sub != "" {
				rest = sub
			}
			return volumes[word(m, "name")], rest, nil
		}
	}
	return nil, "", fmt.Errorf("%s lies in no volume", p)
}

// What the manifests say of the program, of each other and of time is true.
func TestKubernetes(t *testing.T) {
	all := manifests(t)
	pod := at(all["Deployment"], "spec", "template", "spec")
	box := at(pod, "containers", 0)
	mounts := map[string]object{} // by path
	for _, m := range entries(box, "volumeMounts") {
		mounts[word(m, "mountPath")] = m.(object)
	}
	volumes := map[string]object{}
	for _, v := range entries(pod, "volumes") {
		volumes[word(v, "name")] = v.(object)
	}
	volume := func(p string) (object, string) {
		v, file, err := volumeOf(p, mounts, volumes)
		if err != nil {
			t.Error(err)
		}
		return v, file
	}
	var args []string
	for _, a := range entries(box, "args") {
		args = append(args, fmt.Sprint(a))
	}
	const database = "postgres://foundling@database/foundling"
	const configPath = "/etc/foundling/serve.yaml"
	v, file := volume(configPath)
	if word(v, "configMap", "name") != word(all["ConfigMap"], "metadata", "name") {
		t.Errorf("the options come from %v", v)
	}
	for _, e := range entries(box, "env") {
		name := word(e, "name")
		if strings.HasPrefix(name, serveEnv) {
			t.Setenv(name, map[string]string{"FOUNDLING_SERVE_DATABASE": database, "FOUNDLING_SERVE_ANSWERS": "redis://valkey:6379"}[name])
		}
		if word(e, "value") == "" && at(e, "valueFrom", "secretKeyRef", "optional") != true {
			t.Errorf("%s comes from something that need not exist", name)
		}
	}
	c := parsedServe(t, args, configPath, word(all["ConfigMap"], "data", file))
	if c.Database != database || c.Answers != "redis://valkey:6379" {
		t.Errorf("the database is %q, the answers are in %q, not where the secret says", c.Database, c.Answers)
	}
	for _, p := range c.files() {
		v, file := volume(p)
		switch {
		case at(v, "persistentVolumeClaim") != nil:
			if word(v, "persistentVolumeClaim", "claimName") != word(all["PersistentVolumeClaim"], "metadata", "name") || at(v, "persistentVolumeClaim", "readOnly") != true {
				t.Errorf("%s: %v", p, v)
			}
		case at(v, "secret") != nil:
			given := word(all["Secret"], "stringData", file)
			if word(v, "secret", "secretName") != word(all["Secret"], "metadata", "name") || given == "" {
				t.Errorf("%s: %v", p, v)
			}
			here := filepath.Join(t.TempDir(), "keys.json")
			mode, err := strconv.ParseUint(fmt.Sprintf("%o", at(v, "secret", "defaultMode")), 8, 32)
			if err == nil {
				err = os.WriteFile(here, []byte(given), os.FileMode(mode))
			}
			if err == nil {
				_, err = keys.Read(here)
			}
			if err != nil || mode != 0o440 {
				t.Errorf("%s, mode %o: %v", p, mode, err)
			}
		default:
			t.Errorf("%s lies in %v", p, v)
		}
	}
	if at(box, "securityContext", "readOnlyRootFilesystem") != true || at(pod, "securityContext", "runAsNonRoot") != true {
		t.Error("the container may write its files, or runs as root")
	}
	checkPorts(t, all, c)
	checkNames(t, all)
	checkGrace(t, pod, box, c.Drain)
	checkPaths(t, all, box)
}

// checkGrace: texts can end before the pod is killed.
func checkGrace(t *testing.T, pod, box any, drain time.Duration) {
	t.Helper()
	seconds := func(v any, steps ...any) time.Duration {
		n, err := strconv.Atoi(word(v, steps...))
		if err != nil {
			t.Errorf("%v: %v", steps, err)
		}
		return time.Duration(n) * time.Second
	}
	if grace, stop := seconds(pod, "terminationGracePeriodSeconds"), seconds(box, "lifecycle", "preStop", "sleep", "seconds"); grace < stop+drain+5*time.Second {
		t.Errorf("pods get %v to end in: %v before they are told, %v for texts, and some seconds", grace, stop, drain)
	}
}

// checkPorts: the server listens where others look for it.
func checkPorts(t *testing.T, all map[string]object, c *serveCmd) {
	t.Helper()
	pod := at(all["Deployment"], "spec", "template")
	port := at(pod, "spec", "containers", 0, "ports", 0)
	if _, want, _ := net.SplitHostPort(c.Addr); word(port, "containerPort") != want || word(pod, "metadata", "annotations", "prometheus.io/port") != want {
		t.Errorf("the server listens on port %s, the container says %v", want, port)
	}
	if own(strings.Split(c.Addr, ":")[0]) {
		t.Errorf("nobody outside the pod reaches %s", c.Addr)
	}
	name := word(port, "name")
	for what, got := range map[string]string{
		"Service": word(all["Service"], "spec", "ports", 0, "targetPort"), "NetworkPolicy": word(all["NetworkPolicy"], "spec", "ingress", 0, "ports", 0, "port"),
	} {
		if got != name {
			t.Errorf("%s: the port %q, want %q", what, got, name)
		}
	}
	if name := word(all["Service"], "metadata", "name"); !slices.Contains(c.Host, name) || strings.HasPrefix(strings.ToUpper(name)+"_", serveEnv) {
		t.Errorf("the service's name %q is not among %v", name, c.Host)
	}
}

// checkNames: objects find each other.
func checkNames(t *testing.T, all map[string]object) {
	t.Helper()
	d := all["Deployment"]
	labels := fmt.Sprint(at(d, "spec", "template", "metadata", "labels"))
	for what, got := range map[string]any{
		"Deployment": at(d, "spec", "selector", "matchLabels"), "Service": at(all["Service"], "spec", "selector"),
		"PodDisruptionBudget": at(all["PodDisruptionBudget"], "spec", "selector", "matchLabels"),
		"NetworkPolicy":       at(all["NetworkPolicy"], "spec", "podSelector", "matchLabels"),
		"topology":            at(d, "spec", "template", "spec", "topologySpreadConstraints", 0, "labelSelector", "matchLabels"),
	} {
		if fmt.Sprint(got) != labels {
			t.Errorf("%s selects %v, pods are %v", what, got, labels)
		}
	}
	if to := at(all["HorizontalPodAutoscaler"], "spec", "scaleTargetRef"); word(to, "name") != word(d, "metadata", "name") || word(to, "kind") != "Deployment" || word(to, "apiVersion") != word(d, "apiVersion") {
		t.Errorf("the autoscaler is for %v", to)
	}
}

// checkPaths: probes and Prometheus get what they ask for.
func checkPaths(t *testing.T, all map[string]object, box any) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := saveModel(dir, true); err != nil {
		t.Fatal(err)
	}
	m, err := openModel(openFlags{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	k, secret, err := keys.New(keys.Key{Name: "prometheus", Scopes: []keys.Scope{keys.Metrics}})
	file := filepath.Join(t.TempDir(), "keys.json")
	if err == nil {
		err = keys.Add(file, k, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keys.Open(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "tiny", Model: m}}, Keys: ring})
	if err != nil {
		t.Fatal(err)
	}
	get := func(p, key string) (int, string) {
		r := httptest.NewRequest("GET", "http://10.0.0.1:8080"+p, nil) // kubelets call by address
		if key != "" {
			r.Header.Set("Authorization", "Bearer "+key)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for _, probe := range []string{"startupProbe", "livenessProbe", "readinessProbe"} {
		p := word(box, probe, "httpGet", "path")
		if status, body := get(p, ""); status != http.StatusOK || word(box, probe, "httpGet", "port") != word(box, "ports", 0, "name") {
			t.Errorf("%s: %s answers %d %s", probe, p, status, body)
		}
	}
	metrics := word(all["Deployment"], "spec", "template", "metadata", "annotations", "prometheus.io/path")
	metric := word(all["HorizontalPodAutoscaler"], "spec", "metrics", 0, "pods", "metric", "name")
	if status, body := get(metrics, secret); status != http.StatusOK || !strings.Contains(body, "\n"+metric+"{") {
		t.Errorf("%s answers %d without %s", metrics, status, metric)
	}
}

// The unit of systemd starts the program as it is, and gives it the time it needs.
func TestSystemdUnit(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "foundling.service"))
	if err != nil {
		t.Fatal(err)
	}
	unit := map[string]string{}
	section := ""
	for line := range strings.SplitSeq(string(data), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if name, ok := strings.CutPrefix(line, "["); ok {
			section = strings.TrimSuffix(name, "]")
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section == "" {
			t.Errorf("line %q", line)
		}
		unit[section+"."+name] = value
	}
	config, err := os.ReadFile(filepath.Join("..", "..", "deploy", "serve.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	start := strings.Fields(unit["Service.ExecStart"])
	c := parsedServe(t, start[1:], "/etc/foundling/serve.yaml", string(config))
	stop, err := time.ParseDuration(unit["Service.TimeoutStopSec"] + "s")
	if err != nil || stop < c.Drain+5*time.Second {
		t.Errorf("%v to stop in, texts get %v (%v)", stop, c.Drain, err)
	}
	state := "/var/lib/" + unit["Service.StateDirectory"]
	if !strings.HasPrefix(c.Database, state+"/") {
		t.Errorf("the database %s is not in %s, all else is read-only", c.Database, state)
	}
	for name, want := range map[string]string{"Service.Type": "notify", "Service.ProtectSystem": "strict", "Service.NoNewPrivileges": "yes", "Install.WantedBy": "multi-user.target"} {
		if unit[name] != want {
			t.Errorf("%s is %q, want %q", name, unit[name], want)
		}
	}
}

// The image holds the program, and starts it as the manifests do.
func TestContainerfile(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", "Containerfile"))
	if err != nil {
		t.Fatal(err)
	}
	last := map[string][]string{} // of the last stage
	build := ""
	for line := range strings.SplitSeq(strings.ReplaceAll(string(data), "\\\n", " "), "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if word == "" || word[0] == '#' {
			continue
		}
		if word == "FROM" {
			clear(last)
		}
		if word == "RUN" {
			build += rest + "\n"
		}
		last[word] = append(last[word], rest)
	}
	if got := last["FROM"]; len(got) != 1 || got[0] != "scratch" {
		t.Errorf("the image stands on %v", got)
	}
	if !strings.Contains(build, "CGO_ENABLED=0 go build") || !strings.HasSuffix(strings.TrimSpace(build), "./cmd/foundling") {
		t.Errorf("it is built by %s", build)
	}
	if _, err := os.Stat(filepath.Join("..", "..", "cmd", "foundling", "main.go")); errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var command []string
	if err := json.Unmarshal([]byte(last["CMD"][0]), &command); err != nil {
		t.Fatal(err)
	}
	all := manifests(t)
	box := at(all["Deployment"], "spec", "template", "spec", "containers", 0)
	if fmt.Sprint(command) != fmt.Sprint(entries(box, "args")) || last["EXPOSE"][0] != word(box, "ports", 0, "containerPort") {
		t.Errorf("the image runs %v on port %v", command, last["EXPOSE"])
	}
	user, _, _ := strings.Cut(last["USER"][0], ":")
	if user != word(all["Deployment"], "spec", "template", "spec", "securityContext", "runAsUser") || user == "0" {
		t.Errorf("it runs as %s", user)
	}
}
