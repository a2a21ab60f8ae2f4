package asmgen

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
)

// codes is every instruction written as bytes with operands of each kind of encoding,
// and how a disassembler writes it.
var codes = []struct {
	code []byte
	want string
}{
	{tileConfig("DI"), "ldtilecfg (%rdi)"},
	{tileConfig("R9"), "ldtilecfg (%r9)"},
	{tileRelease(), "tilerelease"},
	{tileZero(0), "tilezero %tmm0"},
	{tileZero(5), "tilezero %tmm5"},
	{tileLoad(4, "R8", "R10", 0), "tileloadd (%r8,%r10), %tmm4"},
	{tileLoad(7, "R9", "R10", 1024), "tileloadd 1024(%r9,%r10), %tmm7"},
	{tileLoad(1, "DX", "AX", 64), "tileloadd 64(%rdx,%rax), %tmm1"},
	{tileLoad(2, "R13", "AX", 0), "tileloadd (%r13,%rax), %tmm2"},
	{tileStore(3, "CX", "AX", 64), "tilestored %tmm3, 64(%rcx,%rax)"},
	{tileStore(0, "R9", "R11", -128), "tilestored %tmm0, -128(%r9,%r11)"},
	{tileProduct(0, 4, 6), "tdpbf16ps %tmm6, %tmm4, %tmm0"},
	{tileProduct(3, 5, 7), "tdpbf16ps %tmm7, %tmm5, %tmm3"},
	{dotProduct(0, 30, 28), "vdpbf16ps %zmm28, %zmm30, %zmm0"},
	{dotProduct(27, 31, 9), "vdpbf16ps %zmm9, %zmm31, %zmm27"},
	{toBF16(0, 1, 0), "vcvtne2ps2bf16 %zmm0, %zmm1, %zmm0"},
	{toBF16(12, 31, 18), "vcvtne2ps2bf16 %zmm18, %zmm31, %zmm12"},
}

// TestCodes pins the bytes, and has LLVM read them back where it is
// installed.
func TestCodes(t *testing.T) {
	var pinned, input bytes.Buffer
	var want []string
	for _, c := range codes {
		fmt.Fprintf(&pinned, "% x  %s\n", c.code, c.want)
		for _, b := range c.code {
			fmt.Fprintf(&input, "%#02x ", b)
		}
		input.WriteByte('\n')
		want = append(want, c.want)
	}
	golden.Check(t, "codes.txt", pinned.Bytes())
	tool, err := exec.LookPath("llvm-mc")
	if err != nil {
		t.Skip("llvm-mc is not installed: bytes compared with the golden file only")
	}
	cmd := exec.Command(tool, "--disassemble", "--triple=x86_64", "--mattr=+amx-tile,+amx-bf16,+avx512bf16")
	cmd.Stdin = &input
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(out)) {
		if line = strings.Join(strings.Fields(line), " "); line != "" && line != ".text" {
			got = append(got, line)
		}
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}
