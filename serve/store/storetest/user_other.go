//go:build !unix

package storetest

import "os/exec"

// unprivileged changes nothing: there is no root.
func unprivileged(*exec.Cmd, string) error { return nil }
