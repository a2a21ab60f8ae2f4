package cpuid_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/cpuid"
)

// TestDetectAgainstKernel compares with the flags that Linux reports.
func TestDetectAgainstKernel(t *testing.T) {
	got := cpuid.Detect()
	if got.AVX512 && !got.AVX2 {
		t.Errorf("got %+v: AVX-512 without AVX2", got)
	}
	if got != cpuid.Detect() {
		t.Error("a second Detect differs from the first")
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" || got == (cpuid.Features{}) {
		t.Skip("nothing to compare with")
	}
	flags := map[string]bool{}
	for line := range strings.Lines(string(info)) {
		if name, list, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "flags" {
			for _, f := range strings.Fields(list) {
				flags[f] = true
			}
			break
		}
	}
	want := cpuid.Features{
		AVX2:       flags["avx2"] && flags["fma"] && flags["f16c"],
		AVX512:     flags["avx512f"] && flags["avx512bw"] && flags["avx512dq"] && flags["avx512vl"],
		AVX512VNNI: flags["avx512f"] && flags["avx512bw"] && flags["avx512dq"] && flags["avx512vl"] && flags["avx512_vnni"],
		AVX512BF16: flags["avx512f"] && flags["avx512bw"] && flags["avx512dq"] && flags["avx512vl"] && flags["avx512_bf16"],
		AMX:        flags["amx_tile"] && flags["amx_bf16"],
		AMXInt8:    flags["amx_tile"] && flags["amx_bf16"] && flags["amx_int8"],
	}
	if got != want {
		t.Errorf("got %+v, /proc/cpuinfo says %+v", got, want)
	}
}
