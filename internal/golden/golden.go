// Package golden finds the files that tests compare against: small goldens in
// testdata, rewritten with -update, and the large shared set of real files in
// $FOUNDLING_DATA.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

// Update says that the test run rewrites its golden files (go test -update).
var Update = flag.Bool("update", false, "rewrite golden files")

// Data returns the path of a file or folder in $FOUNDLING_DATA and skips the
// test where the variable is unset. A file that should be there and is not
// fails the test.
func Data(t testing.TB, elem ...string) string {
	t.Helper()
	root := os.Getenv("FOUNDLING_DATA")
	if root == "" {
		t.Skip("FOUNDLING_DATA is unset: it names the folder of real test files")
	}
	path := filepath.Join(append([]string{root}, elem...)...)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("FOUNDLING_DATA lacks a file: %v", err)
	}
	return path
}

// Check compares got with the golden file testdata/name, or writes it when
// -update is given.
func Check(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *Update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the test with -update to write it)", err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs from the golden file\ngot:\n%s\nwant:\n%s", path, got, want)
	}
}
