package atomicfile

import (
	"os"
	"path/filepath"
)

// Clean removes the temporary files that writers which were killed left in
// dirs. Nothing may be writing there.
func Clean(dirs ...string) error {
	for _, dir := range dirs {
		stale, err := filepath.Glob(filepath.Join(dir, ".*.tmp-*"))
		if err != nil {
			return err
		}
		for _, path := range stale {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}
