package store_test

import (
	"testing"

	"github.com/foundling-lm/foundling/serve/store"
)

// Errors and --check show no password.
func TestRedacted(t *testing.T) {
	for where, want := range map[string]string{
		"serve.db":                           "serve.db",
		"postgres://me:secret@db/x":          "postgres://me:xxxxx@db/x",
		"postgres://db/x?password=secret":    "postgres://db/x?password=xxxxx",
		"redis://:secret@127.0.0.1:6379/0":   "redis://:xxxxx@127.0.0.1:6379/0",
		"postgres://me:se cret%zz@db/secret": "postgres://...",
	} {
		if got := store.Redacted(where); got != want {
			t.Errorf("%s is shown as %s, want %s", where, got, want)
		}
	}
}
