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
	recalls  *prometheus.CounterVec   // by model, result
	first    *prometheus.HistogramVec // by model
	between  *prometheus.HistogramVec // by model
	delivery *prometheus.HistogramVec // by model
}

// deliveryBuckets are close together where it matters, in seconds.
var deliveryBuckets = []float64{2e-5, 5e-5, 1e-4, 1.5e-4, 2e-4, 2.5e-4, 3e-4, 4e-4, 5e-4, 7e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1, 1}

func newMeters(s *Server) *meters {
	histogram := func(name, help, label string, from float64) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: prometheus.ExponentialBuckets(from, 2, 16)}, []string{label})
	}
	m := &meters{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "foundling_requests_total", Help: "Answered requests."}, []string{"path", "status"}),
		seconds:  histogram("foundling_request_seconds", "From a request to the end of its answer.", "path", 0.001),
		tokens:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "foundling_tokens_total", Help: "Tokens of prompts and of texts."}, []string{"model", "kind"}),
		recalls:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "foundling_cache_total", Help: "Requests for texts, by what the cache of answers had."}, []string{"model", "result"}),
		first:    histogram("foundling_first_token_seconds", "From a request's place in the queue to the first token of a text.", "model", 0.001),
		delivery: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "foundling_delivery_seconds", Help: "From a token's choice until it is sent, in streams.", Buckets: deliveryBuckets}, []string{"model"}),
		between:  histogram("foundling_next_token_seconds", "Between tokens of a text.", "model", 0.0001),
	}
	m.registry.MustRegister(m.requests, m.seconds, m.tokens, m.recalls, m.first, m.between, m.delivery, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(queues{&s.models})
	return m
}

func (m *meters) request(path string, status int, took time.Duration) {
	m.requests.WithLabelValues(path, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(path).Observe(took.Seconds())
}

// show is GET /metrics.
func (m *meters) show(w *reply, r *http.Request) error {
	promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}

// queues shows how full the queues of the models are that are served now.
type queues struct{ *models }

var (
	queued = prometheus.NewDesc("foundling_texts", "Texts that are being written or wait.", []string{"model"}, nil)
	limits = prometheus.NewDesc("foundling_texts_limit", "Texts beyond which requests are refused.", []string{"model"}, nil)
)

// Describe names the meters.
func (q queues) Describe(to chan<- *prometheus.Desc) { to <- queued; to <- limits }

// Collect reads them.
func (q queues) Collect(to chan<- prometheus.Metric) {
	for _, m := range q.list() {
		if m.base != nil {
			continue // its texts are in its model's queue
		}
		to <- prometheus.MustNewConstMetric(queued, prometheus.GaugeValue, float64(m.queue.length()), m.Name)
		to <- prometheus.MustNewConstMetric(limits, prometheus.GaugeValue, float64(m.queue.limit), m.Name)
	}
}
