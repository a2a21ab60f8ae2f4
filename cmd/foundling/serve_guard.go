package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/foundling-lm/foundling/serve"
	"github.com/foundling-lm/foundling/serve/keys"
)

// guardFlags say who may use a server, and how much a request may ask for.
type guardFlags struct {
	Keys       string   `help:"File of API keys (foundling keys): requests without one are refused. Needed where --addr is not a loopback address." placeholder:"FILE" type:"filled"`
	TLSCert    string   `name:"tls-cert" help:"Certificate and those that it stands on, in PEM: the server speaks HTTPS alone. Read again when the file changes." placeholder:"FILE" type:"filled"`
	TLSKey     string   `name:"tls-key" help:"The certificate's key, in PEM." placeholder:"FILE" type:"filled"`
	Host       []string `help:"Name by which the server may be called, besides IP addresses and localhost; * takes all. Repeat it for more." placeholder:"NAME"`
	CORSOrigin []string `name:"cors-origin" help:"Origin of web pages that may send requests, besides the server's own, as https://example.com. Repeat it for more." placeholder:"ORIGIN"`

	MaxBody     int64 `help:"Bytes of a request at most." default:"4194304"`
	MaxMessages int   `help:"Messages of a conversation at most." default:"1024"`
	MaxTexts    int   `help:"Texts that one request may ask for." default:"128"`
}

// validate is called with the address to listen on, before anything is opened.
func (f *guardFlags) validate(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	switch {
	case !own(host) && f.Keys == "":
		return fmt.Errorf("--addr: %q can be reached from other machines: name a file of API keys (--keys, made by foundling keys add), or listen on 127.0.0.1", host)
	case (f.TLSCert == "") != (f.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both or none")
	case f.MaxBody < 0 || f.MaxMessages < 0 || f.MaxTexts < 0:
		return errors.New("--max-body, --max-messages and --max-texts must be positive, or 0 for the default")
	}
	for i, name := range f.Host {
		f.Host[i] = strings.ToLower(name)
		switch {
		case name == "*" && f.Keys == "":
			return errors.New("--host *: without --keys any web page could reach the server under a name of its own: list the names")
		case name == "" || strings.ContainsAny(name, ":/"):
			return fmt.Errorf("--host %q: it is a name alone, as models.example.com", name)
		}
	}
	return nil
}

// own says whether a host to listen on is of this machine alone.
func own(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// apply opens what the flags name.
func (f *guardFlags) apply(o *serve.Options) (err error) {
	failed := func(what string) func(error) {
		return func(err error) {
			if o.Log != nil {
				o.Log.Error("the "+what+" cannot be read again: the old ones stay", "error", err)
			}
		}
	}
	o.Hosts, o.Origins = f.Host, f.CORSOrigin
	o.MaxBody, o.MaxMessages, o.MaxTexts = f.MaxBody, f.MaxMessages, f.MaxTexts
	if f.Keys != "" {
		if o.Keys, err = keys.Open(f.Keys, failed("file of keys")); err != nil {
			return fmt.Errorf("--keys: %w", err)
		}
	}
	if f.TLSCert != "" {
		if o.TLS, err = serve.Certificates(f.TLSCert, f.TLSKey, failed("certificate and its key")); err != nil {
			return fmt.Errorf("--tls-cert: %w", err)
		}
	}
	return nil
}

// watchFlags say what is told of a server at work.
type watchFlags struct {
	Quiet     bool   `help:"Log no requests."`
	LogFormat string `help:"Form of the log: text or json." enum:"text,json" default:"text"`
	LogText   bool   `help:"Log what was sent and answered, too. Texts hold what people say."`
	OTLP      string `name:"otlp" help:"Send traces to this OpenTelemetry collector, as http://localhost:4318; else to that of the variable OTEL_EXPORTER_OTLP_ENDPOINT." placeholder:"URL"`
}

// Validate says which flags do not go together.
func (f watchFlags) Validate() error {
	if f.Quiet && f.LogText {
		return errors.New("--log-text needs the log that --quiet turns off")
	}
	return nil
}

// apply sets up the log and the traces; stop sends what is left of them.
func (f watchFlags) apply(ctx context.Context, o *serve.Options) (stop func(), err error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if f.LogFormat == "json" {
		log = slog.New(slog.NewJSONHandler(os.Stderr, nil))
	}
	if !f.Quiet {
		o.Log, o.LogText = log, f.LogText
	}
	c, err := otlpClient(f.OTLP, os.Getenv)
	if err != nil || c == nil {
		return func() {}, err
	}
	p, stop, err := traceProvider(ctx, c, log, o.Version)
	if err != nil {
		return func() {}, err
	}
	o.Traces = p
	return stop, nil
}
