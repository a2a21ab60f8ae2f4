package gosrc

import (
	"errors"
	"go/ast"
	"go/doc"
	"go/token"
	"strings"

	"github.com/foundling-lm/foundling/text"
	"github.com/foundling-lm/foundling/text/demo"
)

// Phrasings of the prompts. %p is the import path, %s the subject: source
// text, a qualified name, or a kind and a name.
var phrasings = map[string][]string{
	TaskFunction: {
		"Write this Go function of package %p.\n\n%s",
		"Complete the Go function below. It belongs to package %p.\n\n%s",
		"Implement the following function in Go (package %p).\n\n%s",
		"Here are the comment and the signature of a Go function. Write the whole function.\n\n%s",
		"Package %p needs this function. Please write it.\n\n%s",
		"%s\n\nWrite the body of this Go function.",
	},
	TaskDoc: {
		"Write the doc comment of this Go function.\n\n%s",
		"Document this function of package %p.\n\n%s",
		"What does this Go function do? Answer with its doc comment.\n\n%s",
		"%s\n\nWrite a doc comment for it.",
		"Add a comment to this Go function.\n\n%s",
	},
	TaskExplain: {
		"What does %s do in Go?",
		"Explain %s.",
		"What is %s for?",
		"Tell me about %s in Go.",
		"Describe %s in a few words.",
	},
	TaskSymbol: {
		"Which Go package declares the %s?",
		"In which Go package is the %s?",
		"What must I import to use the %s?",
		"Where is the %s declared?",
		"Name the Go package of the %s.",
	},
	TaskSynopsis: {
		"What is the Go package %p for?",
		"Describe the package %p in one sentence.",
		"What does package %p do?",
		"Summarise the Go package %p.",
		"Give the synopsis of package %p.",
	},
}

// prompt phrases a task; key makes the choice a property of the subject.
func (o Options) prompt(task, key, pkg, subject string) string {
	forms := phrasings[task]
	form := forms[demo.Pick(o.Seed, task+"\x00"+pkg+"\x00"+key, len(forms))]
	return strings.NewReplacer("%p", pkg, "%s", subject).Replace(form)
}

// qualifier is what stands before the names of a package: its name, or its
// path where it is an inner package, whose name others may share.
func (s *source) qualifier() string {
	if strings.Contains(s.pkg, "internal/") || strings.HasPrefix(s.pkg, "cmd/") {
		return s.pkg
	}
	return s.name
}

// File returns the demonstrations of one document, none when it is not a Go
// file or is left out. Symbols are remembered for Symbols.
func (e *Extractor) File(doc text.Document) []demo.Demonstration {
	s, err := parse(doc, e.o)
	return e.parsed(s, err)
}

// parsed counts a parsed file and returns its demonstrations.
func (e *Extractor) parsed(s *source, err error) []demo.Demonstration {
	switch {
	case errors.Is(err, errNotGo):
		return nil
	case errors.Is(err, errSkipped):
		e.Stats.Skipped++
		return nil
	case err != nil:
		e.Stats.Unparsable++
		return nil
	}
	e.Stats.Files++
	e.Stats.Bytes += int64(len(s.text))
	out := e.synopsisOf(nil, s)
	for _, f := range s.functions(e.o.MinDocWords) {
		out = e.functionTasks(out, s, f)
	}
	if s.name == "main" {
		return out // its names can't be imported
	}
	for _, x := range s.exported() {
		if e.wants(TaskExplain) && !trivialDoc(x.doc, e.o.MinDocWords) {
			qualified := s.qualifier() + "." + x.name
			answer := firstParagraph(x.doc)
			out = e.emit(out, qualified+"\x00"+answer, demo.Demonstration{
				Task: TaskExplain, Prompt: e.o.prompt(TaskExplain, x.name, s.pkg, qualified),
				Response: answer, Provenance: s.at(x.pos),
			})
		}
		e.addSymbol(s, x)
	}
	return out
}

// functionTasks adds function -> text in both directions.
func (e *Extractor) functionTasks(out []demo.Demonstration, s *source, f function) []demo.Demonstration {
	comment := commented(f.doc)
	if e.wants(TaskFunction) {
		out = e.emit(out, f.text, demo.Demonstration{
			Task: TaskFunction, Prompt: e.o.prompt(TaskFunction, f.name, s.pkg, comment+"\n"+f.signature),
			Response: f.text, Provenance: s.at(f.decl.Pos()),
		})
	}
	if e.wants(TaskDoc) {
		out = e.emit(out, f.text, demo.Demonstration{
			Task: TaskDoc, Prompt: e.o.prompt(TaskDoc, f.name, s.pkg, f.text),
			Response: comment, Provenance: s.at(f.decl.Doc.Pos()),
		})
	}
	return out
}

// synopsisOf adds package -> synopsis from the first file of a package that
// has a package comment.
func (e *Extractor) synopsisOf(out []demo.Demonstration, s *source) []demo.Demonstration {
	if !e.wants(TaskSynopsis) || e.synopsis[s.pkg] {
		return out
	}
	answer := new(doc.Package).Synopsis(docText(s.ast.Doc))
	if trivialDoc(answer, e.o.MinDocWords) {
		return out
	}
	e.synopsis[s.pkg] = true
	return e.emit(out, s.pkg, demo.Demonstration{
		Task: TaskSynopsis, Prompt: e.o.prompt(TaskSynopsis, "", s.pkg, ""),
		Response: answer, Provenance: s.at(s.ast.Doc.Pos()),
	})
}

// symbol is an exported declaration.
type symbol struct {
	kind string // "function", "method", "type", "constant", "variable"
	name string // "Name" or "Type.Name"
	doc  string
	pos  token.Pos
}

// exported returns the exported functions, methods of exported types and
// types, and the constants and variables that have a comment of their own.
func (s *source) exported() []symbol {
	var out []symbol
	add := func(kind, name, doc string, pos token.Pos) {
		for part := range strings.SplitSeq(name, ".") {
			if !ast.IsExported(part) {
				return
			}
		}
		out = append(out, symbol{kind, name, doc, pos})
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			kind := "function"
			if d.Recv != nil {
				kind = "method"
			}
			add(kind, declName(d), docText(d.Doc), d.Pos())
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					group := spec.Doc
					if group == nil && len(d.Specs) == 1 {
						group = d.Doc
					}
					add("type", spec.Name.Name, docText(group), spec.Pos())
				case *ast.ValueSpec:
					kind := "variable"
					if d.Tok == token.CONST {
						kind = "constant"
					}
					group := spec.Doc
					if group == nil && len(d.Specs) == 1 {
						group = d.Doc
					}
					if group != nil {
						add(kind, spec.Names[0].Name, docText(group), spec.Pos())
					}
				}
			}
		}
	}
	return out
}
