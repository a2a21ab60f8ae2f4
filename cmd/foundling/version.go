package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/foundling-lm/foundling/tensor/kernel"
)

// versionCmd says which program this is.
type versionCmd struct{}

// Run prints version, Go version, system and kernel sets.
func (versionCmd) Run() error {
	var sets []string
	for _, s := range kernel.Sets() {
		sets = append(sets, s.Name)
	}
	fmt.Printf("foundling %s\n%s %s/%s\nkernel sets: %s\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, strings.Join(sets, ", "))
	return nil
}

// programVersion is the version and revision that this program was built from.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}
