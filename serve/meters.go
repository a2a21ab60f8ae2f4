package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// meters are what /metrics shows, for Prometheus.
type meters struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec   // by path, status
	seconds  *prometheus.HistogramVec // by path
	tokens   *prometheus.CounterVec   // by model, kind: prompt, completion
	first    *prometheus.HistogramVec // by model
	between  *prometheus.HistogramVec // by model
}

func newMeters(s *Server) *meters {
	histogram := func(name, help, label string, from float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(from, 2, 16)}, []string{label})
	}
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "foundling_requests_total", Help: "Answered requests."}, []string{"path", "status"}),
		seconds:  histogram("foundling_request_seconds", "From a request to the end of its answer.", "path", 0.001),
		tokens:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "foundling_tokens_total", Help: "Tokens of prompts and of texts."}, []string{"model", "kind"}),
		first:    histogram("foundling_first_token_seconds", "From a request's place in the queue to the first token of a text.", "model", 0.001),
		between:  histogram("foundling_next_token_seconds", "Between tokens of a text.", "model", 0.0001),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.tokens, m.first, m.between, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, model := range s.models {
		label := prometheus.Labels{"model": model.Name}
		m.registry.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "foundling_texts", Help: "Texts that are being written or wait.", ConstLabels: label},
				func() float64 { return float64(model.queue.length()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "foundling_texts_limit", Help: "Texts beyond which requests are refused.", ConstLabels: label},
				func() float64 { return float64(model.queue.limit) }),
		)
	}
	return m
}

func (m *meters) request(path string, status int, took time.Duration) {
	m.requests.WithLabelValues(path, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(path).Observe(took.Seconds())
}

func (m *meters) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
