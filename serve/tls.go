package serve

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// Certificates is Options.TLS of a certificate and its key in PEM files. When the files
// change, later connections get the new ones; while the new ones do not belong together
// the old stay, and failed is told, if it is not nil.
func Certificates(certificate, key string, failed func(error)) (*tls.Config, error) {
	c := &certificates{files: [2]string{certificate, key}, failed: failed}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// certificates is a pair of files and what they held when they were read.
type certificates struct {
	files  [2]string
	failed func(error)

	mu     sync.Mutex
	cert   *tls.Certificate
	times  [2]time.Time
	looked time.Time
}

// lookEvery is how often the files are looked at.
const lookEvery = time.Second

func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		if times, _ := c.changed(); times != c.times {
			if err := c.load(); err != nil && c.failed != nil {
				c.failed(err)
			}
			c.times = times // tell once
		}
	}
	return c.cert, nil
}

// changed is when the files were, zero if one cannot be looked at.
func (c *certificates) changed() (times [2]time.Time, err error) {
	for i, name := range c.files {
		info, err := os.Stat(name)
		if err != nil {
			return [2]time.Time{}, err
		}
		times[i] = info.ModTime()
	}
	return times, nil
}

func (c *certificates) load() error {
	times, err := c.changed()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("%s and %s: %w", c.files[0], c.files[1], err)
	}
	c.cert, c.times = &cert, times
	return nil
}
