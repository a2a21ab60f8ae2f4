package main

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector is a stub of an OpenTelemetry collector: it is busy at first.
type collector struct {
	*httptest.Server
	mu    sync.Mutex
	tries int
	heads http.Header
	got   []*tracepb.ResourceSpans
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.tries++; c.tries == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(r.Body)
		var all tracepb.TracesData
		if err == nil {
			err = proto.Unmarshal(body, &all)
		}
		if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s of %s: %v", r.URL.Path, r.Header.Get("Content-Type"), err)
		}
		c.heads, c.got = r.Header, append(c.got, all.ResourceSpans...)
	}))
	t.Cleanup(c.Close)
	return c
}

// Spans reach a collector, with what the variables say, though it is busy at first.
func TestTraces(t *testing.T) {
	c := newCollector(t)
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
	variables := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/", "OTEL_EXPORTER_OTLP_HEADERS": "x-team=red%20ones, x-other=1"}
	client, err := otlpClient("", func(name string) string { return variables[name] })
	if err != nil {
		t.Fatal(err)
	}
	client.wait = time.Millisecond
	p, stop, err := traceProvider(context.Background(), client, slog.New(slog.DiscardHandler), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	ctx, one := p.Tracer("test").Start(context.Background(), "outer")
	_, two := p.Tracer("test").Start(ctx, "inner")
	two.End()
	one.End()
	stop()
	if c.tries != 2 || len(c.got) != 1 || c.heads.Get("X-Team") != "red ones" || c.heads.Get("X-Other") != "1" {
		t.Fatalf("%d tries, %d resources, headers %v", c.tries, len(c.got), c.heads)
	}
	about := map[string]string{}
	for _, kv := range c.got[0].Resource.Attributes {
		about[kv.Key] = kv.Value.GetStringValue()
	}
	if about["service.name"] != "foundling" || about["service.version"] != "1.2.3" || about["deployment.environment"] != "test" {
		t.Errorf("the resource is %v", about)
	}
	spans := c.got[0].ScopeSpans[0].Spans
	if len(spans) != 2 || spans[0].Name != "inner" || spans[1].Name != "outer" || string(spans[0].ParentSpanId) != string(spans[1].SpanId) {
		t.Errorf("spans %v", spans)
	}
}

// Where traces go is said by the flag, then by the variables.
func TestOTLPAddress(t *testing.T) {
	for _, c := range []struct{ flag, base, whole, headers, want, err string }{
		{},
		{flag: "http://a:4318", base: "http://b", whole: "http://c/x", want: "http://a:4318/v1/traces"},
		{base: "https://b/prefix/", want: "https://b/prefix/v1/traces"},
		{base: "http://b", whole: "http://c/x", want: "http://c/x"},
		{flag: "a:4318", err: "--otlp"},
		{base: "grpc://b", err: "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{flag: "http://a", headers: "x", err: "NAME=VALUE"},
	} {
		got, err := otlpClient(c.flag, func(name string) string {
			return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.base, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": c.whole, "OTEL_EXPORTER_OTLP_HEADERS": c.headers}[name]
		})
		url := ""
		if got != nil {
			url = got.url
		}
		if url != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%+v: got %q, %v", c, url, err)
		}
	}
}

// The service manager is told, if there is one.
func TestNotify(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if err := notify("READY=1"); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "n")
	l, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Skip("no such sockets here: ", err)
	}
	defer l.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notify("READY=1"); err != nil {
		t.Fatal(err)
	}
	text := make([]byte, 100)
	if n, _, err := l.ReadFrom(text); err != nil || string(text[:n]) != "READY=1" {
		t.Errorf("%q, %v", text[:n], err)
	}
}
