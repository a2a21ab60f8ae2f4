package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/foundling-lm/foundling/plan/machine"
)

// doctorCmd says what this machine can do and what would make it do more.
type doctorCmd struct {
	computeFlags
	JSON bool   `name:"json" help:"Print one JSON object."`
	Dir  string `help:"Folder whose free disk space is shown." default:"." type:"path"`
}

// diagnosis is what doctor prints.
type diagnosis struct {
	machine.Machine
	Build     string        `json:"build"`     // Go version and tags of this program
	Chosen    string        `json:"chosen"`    // kernel set
	Precision string        `json:"precision"` // of products
	Peaks     machine.Peaks `json:"peaks"`
	DiskFree  int64         `json:"disk_free"` // bytes in Dir; -1 unknown
	Advice    []string      `json:"advice"`
}

// Run examines the machine and prints the diagnosis.
func (c *doctorCmd) Run(ctx context.Context) error {
	b, err := c.backend()
	if err != nil {
		return err
	}
	defer b.Close()
	d := diagnosis{Machine: machine.Describe(), Build: build(), DiskFree: -1, Advice: []string{}}
	var mixed bool
	d.Chosen, d.Precision, mixed = strings.Cut(b.Kernels(), "+")
	if !mixed {
		d.Precision = "f32"
	}
	if free, ok := machine.DiskFree(c.Dir); ok {
		d.DiskFree = free
	}
	if d.Peaks, err = machine.Measure(ctx, machine.Options{Kernels: d.Chosen, Threads: b.Threads()}); err != nil {
		return err
	}
	d.advise()
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(d)
	}
	d.print(os.Stdout)
	return nil
}

// build is the Go version and the tags of this program.
func build() string {
	s := runtime.Version()
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, x := range info.Settings {
			if x.Key == "-tags" && x.Value != "" {
				s += " -tags " + x.Value
			}
		}
	}
	return s
}

func (d *diagnosis) print(w io.Writer) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	name := d.Processor
	if name == "" {
		name = "unknown processor"
	}
	line("processor", "%s, %d cores for this process, %s, %s", name, d.Cores, d.System, d.Build)
	features := strings.Join(d.Features, ", ")
	if features == "" {
		features = "none that kernels are written for"
	}
	line("features", "%s", features)
	line("tiles", "%s", d.tiles())
	var sets []string
	for _, s := range d.Kernels {
		if s == d.Chosen {
			s += " (chosen, products in " + d.Precision + ")"
		}
		sets = append(sets, s)
	}
	line("kernels", "%s", strings.Join(sets, ", "))
	rate := func(r machine.Rate, unit string) string {
		if r.One == 0 {
			return "not measured"
		}
		s := fmt.Sprintf("%.1f %s on one thread", r.One/1e9, unit)
		if d.Peaks.Threads > 1 {
			s += fmt.Sprintf(", %.1f on %d", r.All/1e9, d.Peaks.Threads)
		}
		return s
	}
	line("f32", "%s", rate(d.Peaks.F32, "GFLOP/s"))
	line("bf16", "%s", rate(d.Peaks.BF16, "GFLOP/s"))
	line("int8", "%s", rate(d.Peaks.Int8, "GOP/s"))
	line("memory read", "%s", rate(d.Peaks.Read, "GB/s"))
	line("memory", "%s free of %s", gigabytes(d.Memory.Available), gigabytes(d.Memory.Total))
	line("disk", "%s free", gigabytes(max(0, d.DiskFree)))
	for _, a := range d.Advice {
		line("advice", "%s", a)
	}
	if len(d.Advice) == 0 {
		line("advice", "none: all is well")
	}
}

func gigabytes(n int64) string {
	if n <= 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func (d *diagnosis) tiles() string {
	switch {
	case d.Tiles.Permitted:
		return "AMX-bf16, permitted by the system"
	case d.Tiles.Processor:
		return "AMX-bf16, refused by the system: " + d.Tiles.Refused
	}
	return "this processor has none"
}

// advise names what stands in the way and its remedy.
func (d *diagnosis) advise() {
	add := func(format string, args ...any) { d.Advice = append(d.Advice, fmt.Sprintf(format, args...)) }
	if d.Tiles.Processor && !d.Tiles.Permitted {
		add("%s", tileRemedy(d.Tiles.Refused))
	}
	if len(d.Kernels) == 1 {
		switch {
		case strings.Contains(d.Build, "purego"):
			add("this program was built with the tag purego: build it without to get kernels in assembly, ten times as fast and more")
		case runtime.GOARCH == "amd64":
			add("this processor lacks AVX2, FMA or F16C (or a virtual machine hides them): only the plain Go kernels run")
		default:
			add("there are no kernels in assembly for %s: only the plain Go ones run", runtime.GOARCH)
		}
	} else if d.Chosen != d.Kernels[0] {
		add("--kernels %s was asked for: without it %s would run", d.Chosen, d.Kernels[0])
	}
	if d.Cores < runtime.NumCPU() {
		add("this process may use %d of %d processors: GOMAXPROCS or a container limits it", d.Cores, runtime.NumCPU())
	}
	if p := d.Peaks; p.Threads > 1 && p.F32.All < 1.3*p.F32.One {
		add("%d threads are hardly faster than one: other programs are at work, or the threads share cores", p.Threads)
	}
	if m := d.Memory.Available; m > 0 && m < 2<<30 {
		add("less than 2 GB of memory is free: training is limited to small models; end other programs")
	}
	if d.DiskFree >= 0 && d.DiskFree < 2<<30 {
		add("less than 2 GB of disk is free here: a run keeps its tokens, checkpoints and model; use --dir and --out of another disk")
	}
}

// tileRemedy says what lets a process use tiles that the system refused.
func tileRemedy(refused string) string {
	switch refused {
	case syscall.EINVAL.Error(), syscall.ENOSYS.Error():
		return "the system does not know tiles: Linux 5.16 or later does"
	case syscall.EOPNOTSUPP.Error():
		return "the system does not save tiles: a virtual machine must be given XTILECFG and XTILEDATA in XCR0 too, and the kernel must not be started with clearcpuid or noxsave"
	case syscall.EPERM.Error(), syscall.EACCES.Error():
		return "a seccomp filter forbids arch_prctl(ARCH_REQ_XCOMP_PERM): allow it in the container's profile"
	}
	return "tiles need Linux 5.16 or later on amd64 and the permission arch_prctl(ARCH_REQ_XCOMP_PERM, 18)"
}
