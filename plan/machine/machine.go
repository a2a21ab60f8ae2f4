// Package machine describes the computer that a plan is made for and measures
// what it can do at most: products a second in both precisions, bytes read a
// second, on one thread and on all.
//
// Describe looks, Measure runs for a second or two. The peaks are those of this
// program's own kernels on operands that stay in the caches, so that a fraction
// of the peak says what a training step loses to everything else, not how good
// the kernels are.
//
// Not here: how fast a model trains (train/pretrain.Measure) and what to train
// (plan).
package machine

import (
	"runtime"

	"github.com/foundling-lm/foundling/internal/cpuid"
	"github.com/foundling-lm/foundling/tensor/kernel"
)

// Machine is what can be said without running anything. Zero numbers and empty
// texts are unknown on this system.
type Machine struct {
	Processor string   `json:"processor"` // name of the model
	System    string   `json:"system"`    // GOOS/GOARCH
	Features  []string `json:"features"`  // classes of instructions that kernels are written for
	Tiles     Tiles    `json:"tiles"`
	Cores     int      `json:"cores"`   // that this process may use
	Memory    Memory   `json:"memory"`  // bytes
	Kernels   []string `json:"kernels"` // sets that run here, the best first
}

// Tiles is the state of AMX tile products.
type Tiles struct {
	Processor bool   `json:"processor"` // the processor has them
	Permitted bool   `json:"permitted"` // and this process may use them
	Refused   string `json:"refused,omitempty"`
}

// Memory is bytes of main memory.
type Memory struct {
	Total     int64 `json:"total"`     // of the machine, or of the container where that is less
	Available int64 `json:"available"` // without swapping
}

// Describe looks at this machine.
func Describe() Machine {
	m := Machine{
		Processor: processorName(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Features:  features(cpuid.Detect()),
		Cores:     runtime.GOMAXPROCS(0),
		Memory:    readMemory(),
	}
	t := cpuid.DetectTiles()
	m.Tiles = Tiles{Processor: t.Processor, Permitted: t.Processor && t.Refused == nil}
	if t.Refused != nil {
		m.Tiles.Refused = t.Refused.Error()
	}
	for _, s := range kernel.Sets() {
		m.Kernels = append(m.Kernels, s.Name)
	}
	return m
}

func features(f cpuid.Features) []string {
	out := []string{}
	for _, x := range []struct {
		has  bool
		name string
	}{{f.AVX2, "avx2"}, {f.AVX512, "avx512"}, {f.AVX512VNNI, "avx512-vnni"}, {f.AVX512BF16, "avx512-bf16"}, {f.AMX, "amx-bf16"}, {f.AMXInt8, "amx-int8"}} {
		if x.has {
			out = append(out, x.name)
		}
	}
	return out
}
