// Package deps holds the import policy of the module: which package stands on
// which. Its test reads the import clauses of every Go file in the tree, of
// all build tags, and fails with the offending import and the reason. It does
// not ask the go command, whose answer the test cache would not notice.
//
// The tables below are the policy; ARCHITECTURE.md says it in prose. A new
// folder under a known one inherits its rule; a new root folder, or one in
// need of a rule of its own, gets a line here.
package deps

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Module is the path of the module.
const Module = "github.com/foundling-lm/foundling"

// root is the rule key of the package in the module's root, the library's
// front door.
const root = "."

// floors, the lowest first. Rooms of one floor do not know each other. Floors
// and bans bind code; a test may climb, to try a package with those built on
// it, but not to cmd.
var floors = [][]string{
	{"internal"}, {"tensor", "text"}, {"model"}, {"bundle"}, {"generate"}, {"eval"}, {"plan"}, {"train"}, {"lab", "raise"}, {root}, {"serve"}, {"cmd"},
}

// readers are the packages above the text floor that may import it. For the
// rest the vocabulary is plain data: tokens [][]byte, special []bool.
var readers = []string{"text", "bundle", "generate/search", "eval", "train", "serve", "lab", "raise", root, "cmd"}

// ban forbids an import inside a floor or to a lower one.
type ban struct {
	from, to string   // package prefixes; to may be everything
	except   []string // what from may import below to
	reason   string
}

// everything is all packages of the module.
const everything = "*"

var bans = []ban{
	{"internal/deps", everything, nil, "the policy depends on nothing"},
	{"tensor/dtype", everything, nil, "number formats depend on nothing"},
	{"tensor/kernel", "tensor", []string{"tensor/kernel", "tensor/dtype"}, "kernels work on slices and know no Tensor"},
	{"tensor/op", "tensor/cpu", nil, "operations reach a device through tensor.Backend only"},
	{"tensor/op", "tensor/ref", nil, "operations reach a device through tensor.Backend only"},
	{"tensor/op", "tensor/kernel", nil, "operations reach a device through tensor.Backend only"},
	{"tensor/cpu", "tensor/op", nil, "a backend knows tensors, not operations"},
	{"tensor/ref", "tensor/op", nil, "a backend knows tensors, not operations"},
	{"text/tokenizer", "text", []string{"text/tokenizer"}, "a tokenizer takes strings, whatever documents they come from"},
	{"text/batch", "text/tokenizer", nil, "shards hold ids, whatever tokenizer made them"},
	{"model", "tensor/cpu", nil, "a model runs on any tensor.Backend"},
	{"model", "tensor/ref", nil, "a model runs on any tensor.Backend"},
	{"model/checkpoint", "model", []string{"model/checkpoint"}, "a file of named arrays knows no model"},
	{"model/nn", "model/zoo", nil, "layers know no family"},
	{"generate", "model/zoo", nil, "decoding works on any model.Model"},
	{"generate/sample", everything, []string{"internal"}, "sampling takes logits as plain slices"},
	{"generate/trust", "tensor", nil, "confidence is read from logits and texts as plain data"},
	{"generate/trust", "model", nil, "confidence is read from logits and texts as plain data"},
	{"generate/trust", "generate/search", nil, "how answers are compared does not depend on how they were chosen"},
	{"generate/grammar", everything, []string{"internal", "generate/grammar"}, "a grammar takes the vocabulary as plain data"},
	{"eval/ngram", everything, []string{"internal", "eval/ngram"}, "counting baselines need no tensors, models or readers"},
	{"eval/compress", everything, []string{"internal"}, "the compression baseline needs bytes only"},
	{"eval/report", everything, []string{"internal", "eval/report"}, "the report is drawn from plain data"},
	{"plan", "tensor", []string{"tensor/kernel", "tensor/dtype"}, "plans are made from a configuration, without weights"},
	{"plan", "model", nil, "plans are made from a configuration, without weights"},
	{"train/objective", everything, []string{"internal"}, "losses are arithmetic on plain slices"},
	{"serve", "train", nil, "a server does not train"},
	{"serve/web", everything, nil, "the page knows the server's interface only"},
	{"serve/keys", everything, []string{"internal"}, "keys are a file and counters, whatever they open"},
}

// reserved are imports from outside the module that belong to some packages.
var reserved = []struct {
	path   string
	only   []string
	reason string
}{
	{"C", nil, "the build is pure Go, CGO_ENABLED=0"},
	{"math/rand", nil, "random numbers are functions of (seed, stream, index): use internal/rng"},
	{"log", []string{"train", "serve", "lab", "raise", "cmd"}, "below train nothing logs: return an error or take a function"},
	{"flag", []string{"cmd", "internal/golden"}, "flags are read in cmd"},
	{"net/http", []string{"model/hub", "serve", "lab", "cmd"}, "only the service and the hub talk to a network"},
	{"github.com/alecthomas/kong", []string{"cmd"}, "flags are read in cmd"},
	{"github.com/goccy/go-yaml", []string{"cmd", "generate/repair"}, "recipes are read in cmd, and the repair of YAML asks it what is wrong"},
	{"github.com/vbauerster/mpb", []string{"cmd"}, "the terminal belongs to cmd"},
	{"github.com/lmittmann/tint", []string{"cmd"}, "the terminal belongs to cmd"},
	{"golang.org/x/term", []string{"cmd"}, "the terminal belongs to cmd"},
	{"github.com/valkey-io/valkey-go", []string{"serve/store"}, "what is remembered between requests goes through the store"},
	{"database/sql", []string{"serve/store"}, "what is remembered between requests goes through the store"},
	{"modernc.org/sqlite", []string{"serve/store"}, "what is remembered between requests goes through the store"},
	{"github.com/jackc/pgx", []string{"serve/store"}, "what is remembered between requests goes through the store"},
	{"github.com/prometheus/client_golang", []string{"serve"}, "what runs for long is watched: the service"},
	{"github.com/openai/openai-go", nil, "the clients of others are run by tests only"},
	{"github.com/chromedp", nil, "a browser is run by tests only"},
	{"go.opentelemetry.io/otel", []string{"serve", "cmd"}, "what runs for long is watched: the service; where to is said in cmd"},
	{"golang.org/x/time", []string{"serve/keys"}, "what keys may take is counted there"},
}

// grabBags are folder names that attract code without a home.
var grabBags = []string{"util", "utils", "common", "base", "core", "helper", "helpers", "types", "misc"}

// Check reads the tree and returns one line for each import that breaks the
// policy. Folders named testdata or beginning with "_" or "." are left out, as
// the go command does.
func Check(tree fs.FS) ([]string, error) {
	var found []string
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (base == "testdata" || strings.HasPrefix(base, "_") || strings.HasPrefix(base, ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		src, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := path.Dir(name)
		for _, reason := range misplaced(from) {
			if line := fmt.Sprintf("%s: %s", from, reason); !slices.Contains(found, line) {
				found = append(found, line)
			}
		}
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			for _, reason := range wrong(from, to, strings.HasSuffix(base, "_test.go")) {
				found = append(found, fmt.Sprintf("%s imports %s: %s", name, to, reason))
			}
		}
		return nil
	})
	return found, err
}

// misplaced says why a package may not be where it is.
func misplaced(pkg string) (reasons []string) {
	if floor(pkg) < 0 {
		reasons = append(reasons, "the policy has no floor for this folder: add it to internal/deps or move the package")
	}
	for _, part := range strings.Split(pkg, "/") {
		if slices.Contains(grabBags, part) {
			reasons = append(reasons, fmt.Sprintf("%q says nothing about what is inside: name the noun", part))
		}
	}
	return reasons
}

// wrong says why package from, a folder of the module, may not import to.
func wrong(from, to string, test bool) (reasons []string) {
	inside, ours := strings.CutPrefix(to, Module)
	if !ours || inside != "" && inside[0] != '/' {
		return outside(from, to, test)
	}
	to = path.Clean("./" + inside)
	if from == to {
		return nil // an external test of the package
	}
	f, t := floor(from), floor(to)
	switch {
	case f < 0:
		return nil // reported once, by misplaced
	case test && t >= 0 && !under(to, "cmd"):
		return nil
	case t < 0:
		reasons = append(reasons, "the policy has no floor for what it imports")
	case t > f && under(to, "cmd"):
		reasons = append(reasons, "nothing imports cmd")
	case t > f:
		reasons = append(reasons, fmt.Sprintf("%s stands above %s", room(to), room(from)))
	case t == f && room(from) != room(to):
		reasons = append(reasons, fmt.Sprintf("%s and %s stand side by side and do not know each other", room(from), room(to)))
	case under(to, "text") && !underAny(from, readers):
		reasons = append(reasons, "words and numbers meet in bundle and above: take the vocabulary as plain data")
	}
	if under(to, "tensor/cuda") && !underAny(from, []string{"tensor/cuda", "cmd"}) {
		reasons = append(reasons, "one file of cmd, behind a build tag, brings the device in")
	}
	for _, b := range bans {
		if !under(from, b.from) || underAny(to, b.except) || b.to != everything && !under(to, b.to) {
			continue
		}
		reasons = append(reasons, b.reason)
	}
	return reasons
}

// outside judges an import of the standard library or of another module.
func outside(from, to string, test bool) (reasons []string) {
	for _, r := range reserved {
		if under(to, r.path) && !test && !underAny(from, r.only) {
			reasons = append(reasons, r.reason)
		}
	}
	return reasons
}

// room is the root folder of a package.
func room(pkg string) string {
	first, _, _ := strings.Cut(pkg, "/")
	return first
}

// floor counts from 0, the lowest; -1 is a folder without one.
func floor(pkg string) int {
	return slices.IndexFunc(floors, func(rooms []string) bool { return slices.Contains(rooms, room(pkg)) })
}

// under tells whether pkg is prefix or below it.
func under(pkg, prefix string) bool {
	return pkg == prefix || strings.HasPrefix(pkg, prefix+"/")
}

func underAny(pkg string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return under(pkg, p) })
}
