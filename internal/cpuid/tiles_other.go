//go:build amd64 && !linux && !purego

package cpuid

import "errors"

// permitTiles refuses: only Linux has a way to ask that is known here.
func permitTiles() error {
	return errors.New("tiles are used on Linux only")
}
