package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlpHTTP sends spans to a collector: OTLP over HTTP, in protobuf. It is a few lines,
// where the library's own client brings gRPC into the program with 12 MB.
type otlpHTTP struct {
	url     string
	headers http.Header
	wait    time.Duration // before the second try
}

// otlpClient is that of an address, or of the variables of OpenTelemetry; nil: none is
// named.
func otlpClient(endpoint string, getenv func(string) string) (*otlpHTTP, error) {
	from := "--otlp"
	if endpoint == "" {
		from, endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT", getenv("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if endpoint != "" {
		endpoint = strings.TrimSuffix(endpoint, "/") + "/v1/traces"
	}
	if whole := getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); whole != "" && from != "--otlp" {
		from, endpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", whole
	}
	if endpoint == "" {
		return nil, nil
	}
	if u, err := url.Parse(endpoint); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is no address as http://localhost:4318", from, endpoint)
	}
	c := &otlpHTTP{url: endpoint, headers: http.Header{}, wait: time.Second}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(getenv(name), ",") {
			if strings.TrimSpace(pair) == "" {
				continue
			}
			key, value, ok := strings.Cut(pair, "=")
			value, err := url.PathUnescape(strings.TrimSpace(value))
			if !ok || err != nil {
				return nil, fmt.Errorf("%s: it must be pairs as NAME=VALUE, with commas between", name)
			}
			c.headers.Set(strings.TrimSpace(key), value)
		}
	}
	return c, nil
}

// Start is of otlptrace.Client: there is no connection to make.
func (*otlpHTTP) Start(context.Context) error { return nil }

// Stop is of otlptrace.Client.
func (*otlpHTTP) Stop(context.Context) error { return nil }

// uploads is how often spans are tried to be sent.
const uploads = 4

// UploadTraces sends spans. It tries again where the collector says that it may help.
func (c *otlpHTTP) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	// The request's message has the same one field.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	for try, wait := 1, c.wait; ; try, wait = try+1, 2*wait {
		again, err := c.send(ctx, body)
		if err == nil || !again || try == uploads {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func (c *otlpHTTP) send(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header = c.headers.Clone()
	r.Header.Set("Content-Type", "application/x-protobuf")
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return true, err
	}
	defer a.Body.Close()
	io.Copy(io.Discard, io.LimitReader(a.Body, 64<<10))
	switch a.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	if a.StatusCode/100 != 2 {
		return again, fmt.Errorf("the collector %s answers %s", c.url, a.Status)
	}
	return false, nil
}

// traceProvider sends spans by c; stop sends what is left. Sampling and more about this
// process are OpenTelemetry's own variables (OTEL_TRACES_SAMPLER, OTEL_RESOURCE_ATTRIBUTES).
func traceProvider(ctx context.Context, c otlptrace.Client, log *slog.Logger, version string) (p *sdktrace.TracerProvider, stop func(), err error) {
	e, err := otlptrace.New(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "foundling"), attribute.String("service.version", version)),
		resource.WithTelemetrySDK(), resource.WithHost(), resource.WithFromEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("what OpenTelemetry's variables say of this process: %w", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces", "error", err) }))
	p = sdktrace.NewTracerProvider(sdktrace.WithBatcher(e), sdktrace.WithResource(about))
	return p, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := p.Shutdown(ctx); err != nil {
			log.Warn("the last traces were not sent", "error", err)
		}
	}, nil
}
