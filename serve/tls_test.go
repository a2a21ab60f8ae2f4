package serve_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/serve"
)

// certificate writes cert.pem and key.pem for 127.0.0.1.
func certificate(t testing.TB, dir string, number int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// With a certificate the server speaks HTTP/2 over TLS, and nothing else; a renewed
// certificate is used without a restart, a broken one is not.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, 1)
	failed := make(chan error, 10)
	cfg, err := serve.Certificates(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), func(err error) { failed <- err })
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve.New(serve.Options{Models: []serve.Model{{Name: "base", Model: base}}, TLS: cfg})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	// answer is the protocol and the certificate's number of a new connection.
	answer := func() (string, int64) {
		t.Helper()
		pool := x509.NewCertPool()
		now, err := os.ReadFile(filepath.Join(dir, "good.pem"))
		if err != nil || !pool.AppendCertsFromPEM(now) {
			t.Fatal("no certificate: ", err)
		}
		c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
		defer c.CloseIdleConnections()
		r, err := c.Post("https://"+l.Addr().String()+"/v1/completions", "application/json", strings.NewReader(`{"prompt":"a","max_tokens":3,"stream":true}`))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") {
			t.Errorf("%v, %s", err, text)
		}
		return r.Proto, r.TLS.PeerCertificates[0].SerialNumber.Int64()
	}
	trust := func() {
		data, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "good.pem"), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	trust()
	if proto, number := answer(); proto != "HTTP/2.0" || number != 1 {
		t.Errorf("%s with certificate %d", proto, number)
	}
	if a, _ := ask(t, "GET", "http://"+l.Addr().String()+"/health", ""); a.StatusCode != 400 {
		t.Errorf("without encryption: %d", a.StatusCode)
	}
	if c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	os.WriteFile(filepath.Join(dir, "key.pem"), []byte("nothing"), 0o600)
	time.Sleep(1100 * time.Millisecond) // files are looked at once a second
	if _, number := answer(); number != 1 || len(failed) != 1 {
		t.Errorf("a broken key: certificate %d, %d errors", number, len(failed))
	}
	certificate(t, dir, 2)
	trust()
	time.Sleep(1100 * time.Millisecond)
	if _, number := answer(); number != 2 {
		t.Errorf("a renewed certificate: still number %d", number)
	}
}
