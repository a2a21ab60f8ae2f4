package gosrc

import (
	"github.com/foundling-lm/foundling/text/demo"
)

// symbolDemo is a symbol demonstration that waits for the end of the
// documents.
type symbolDemo struct {
	demo      demo.Demonstration
	key       string
	ambiguous bool // another package declares the same
}

// addSymbol remembers which package declares a name.
func (e *Extractor) addSymbol(s *source, x symbol) {
	if !e.wants(TaskSymbol) {
		return
	}
	key := x.kind + " " + x.name
	if i, ok := e.symbols[key]; ok {
		if e.pending[i].demo.Provenance.Package != s.pkg {
			e.pending[i].ambiguous = true
		}
		return // the same package may declare it once for each system
	}
	e.symbols[key] = len(e.pending)
	e.pending = append(e.pending, symbolDemo{key: key, demo: demo.Demonstration{
		Task: TaskSymbol, Prompt: e.o.prompt(TaskSymbol, key, "", key),
		Response: s.pkg, Provenance: s.at(x.pos),
	}})
}

// Symbols returns the symbol demonstrations of the files read since the last
// call: names that only one package declares.
func (e *Extractor) Symbols() []demo.Demonstration {
	var out []demo.Demonstration
	for _, p := range e.pending {
		if p.ambiguous {
			e.Stats.Ambiguous++
			continue
		}
		out = e.emit(out, p.key, p.demo)
	}
	clear(e.symbols)
	e.pending = nil
	return out
}
