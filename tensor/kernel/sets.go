package kernel

// setPurego is the reference: plain Go, on every processor.
func setPurego() *Set {
	return &Set{Name: "purego", Vec: vecPurego(), gemm: gemmPurego(), blocks: blocksPurego()}
}
