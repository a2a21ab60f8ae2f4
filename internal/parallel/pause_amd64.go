package parallel

// pause waits for n PAUSE instructions, in which the other thread of the core
// has the processor.
func pause(n int)
