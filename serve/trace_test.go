package serve_test

import (
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/foundling-lm/foundling/serve"
)

// A request is a span in its client's trace, with the parts of each text in order.
func TestTraces(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	h := start(t, func(o *serve.Options) { o.Traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)) })
	a, _ := ask(t, "POST", h.URL+"/v1/completions", `{"model":"base","prompt":"a secret","max_tokens":4,"n":2,"logit_bias":{"256":-100}}`,
		"Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	if a.StatusCode != 200 {
		t.Fatal(a.Status)
	}
	h.Close()
	ended := spans.Ended()
	if len(ended) != 7 {
		t.Fatalf("%d spans, want the request and three of each text", len(ended))
	}
	root := ended[len(ended)-1]
	about := map[string]string{}
	for _, kv := range root.Attributes() {
		about[string(kv.Key)] = kv.Value.String()
	}
	for key, want := range map[string]string{
		"http.request.method": "POST", "http.route": "/v1/completions", "http.response.status_code": "200", "gen_ai.request.model": "base",
		"gen_ai.usage.output_tokens": "8", "foundling.request.id": a.Header.Get("X-Request-Id"),
	} {
		if about[key] != want {
			t.Errorf("%s is %q, want %q", key, about[key], want)
		}
	}
	if root.Name() != "POST /v1/completions" || root.Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("%s below %s", root.Name(), root.Parent().SpanID())
	}
	var before time.Time
	for i, s := range ended[:6] {
		if s.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || s.Parent().SpanID() != root.SpanContext().SpanID() {
			t.Errorf("%s is of trace %s, below %s", s.Name(), s.SpanContext().TraceID(), s.Parent().SpanID())
		}
		if want := []string{"queue", "prefill", "decode"}[i%3]; s.Name() != want || i%3 > 0 && !s.StartTime().Equal(before) || s.EndTime().Before(s.StartTime()) {
			t.Errorf("span %d is %s from %v to %v, want %s from %v", i, s.Name(), s.StartTime(), s.EndTime(), want, before)
		}
		before = s.EndTime()
	}
}
