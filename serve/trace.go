package serve

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// tracer is the name of this package in traces.
const tracer = "github.com/foundling-lm/foundling/serve"

// span is a request in a trace; nil: there are none. Names of attributes are those of
// OpenTelemetry's conventions for HTTP and generative models.
type span struct{ trace.Span }

// span begins one, below that of the client if it sends a traceparent.
func (s *Server) span(r *http.Request, path string) (*http.Request, *span) {
	if s.o.Traces == nil {
		return r, nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, one := s.o.Traces.Tracer(tracer).Start(ctx, r.Method+" "+path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", r.Method), attribute.String("http.route", path)))
	return r.WithContext(ctx), &span{one}
}

// end says what became of the request.
func (p *span) end(w *reply, err error) {
	if p == nil {
		return
	}
	p.SetAttributes(attribute.Int("http.response.status_code", w.status), attribute.String("foundling.request.id", w.id))
	if w.caller != "" {
		p.SetAttributes(attribute.String("user.name", w.caller))
	}
	if w.model != "" {
		p.SetAttributes(attribute.String("gen_ai.request.model", w.model),
			attribute.Int("gen_ai.usage.input_tokens", w.usage.Prompt), attribute.Int("gen_ai.usage.output_tokens", w.usage.Completion))
	}
	if w.status >= 500 && err != nil {
		p.SetStatus(codes.Error, err.Error())
	}
	p.Span.End()
}

// parts are the spans of a text within that of its request: it waits, its prompt is
// read, it is written.
func (s *Server) parts(ctx context.Context, text int, asked, began, first, last time.Time) {
	if s.o.Traces == nil {
		return
	}
	for _, p := range []struct {
		name     string
		from, to time.Time
	}{{"queue", asked, began}, {"prefill", began, first}, {"decode", first, last}} {
		if p.from.IsZero() || p.to.Before(p.from) {
			return
		}
		_, one := s.o.Traces.Tracer(tracer).Start(ctx, p.name, trace.WithTimestamp(p.from), trace.WithAttributes(attribute.Int("foundling.text", text)))
		one.End(trace.WithTimestamp(p.to))
	}
}

// traceID is the trace that ctx belongs to, "" for none.
func traceID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.IsValid() {
		return c.TraceID().String()
	}
	return ""
}
