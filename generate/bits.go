package generate

import "fmt"

// Bits names the options of the engine that texts depend on besides their own: two
// engines of one model and one set of kernels that have it in common write the same.
func (e *Engine) Bits() string {
	rejects := e.c.Speculation.Rejection && (e.c.Speculation.Draft != nil || e.c.Speculation.NGram)
	return fmt.Sprintf("cache %q, rejection %v %d", e.c.CacheFormat, rejects, e.c.Speculation.Tokens)
}
