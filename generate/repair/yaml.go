package repair

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	yamlparser "github.com/goccy/go-yaml/parser"
)

// Limits of YAML: the library that reads it takes quadratic time on many keys
// of one mapping and on nesting, so both stay small.
const (
	yamlBytes      = 64 << 10
	yamlDepth      = 64
	yamlDuplicates = 32 // keys taken out, one reading of the text each
)

// YAML repairs a text that is nearly YAML: fences and prose around it, tabs,
// indentation, missing spaces, values that need quotes, keys that come twice.
// Text that the YAML library reads comes back as it is, even where YAML's rules
// give it another meaning than the eye does. A text that begins with a bracket
// is repaired as JSON, which is YAML.
//
// A schema is checked, and guides nothing: what does not fit is ErrSchema.
// Options.MaxBytes is 64 KiB by default here, and nesting is limited to 64.
func YAML(input string, o Options) (Result, error) {
	limit := o.MaxBytes
	if limit <= 0 {
		limit = yamlBytes
	}
	if len(input) > limit {
		return Result{}, fmt.Errorf("%w: %d bytes, the limit for YAML is %d", ErrTooLong, len(input), limit)
	}
	if strings.TrimSpace(input) == "" {
		return Result{}, ErrNothing
	}
	text, edits := input, []edit(nil)
	problem := readYAML(text)
	for _, step := range yamlSteps {
		if problem == nil {
			break
		}
		more := ordered(step(text))
		if len(more) == 0 {
			continue
		}
		edits = compose(input, edits, more)
		text = apply(input, edits)
		problem = readYAML(text)
	}
	for n := 0; problem != nil && n < yamlDuplicates; n++ {
		more := duplicateEdits(text, problem)
		if len(more) == 0 {
			break
		}
		edits = compose(input, edits, more)
		text = apply(input, edits)
		problem = readYAML(text)
	}
	if problem != nil {
		if open := strings.TrimLeft(text, " \t\r\n"); open != "" && (open[0] == '{' || open[0] == '[') {
			return JSON(input, o)
		}
		reason, _, _ := strings.Cut(problem.Error(), "\n")
		return Result{}, fmt.Errorf("%w as YAML: %s", ErrHopeless, reason)
	}
	if o.Schema != nil {
		if err := yamlFits(text, o); err != nil {
			return Result{}, err
		}
	}
	list := changes(input, edits)
	return Result{Text: text, Changes: list, Confidence: confidence(list)}, nil
}

// yamlSteps are tried one after the other until the text can be read.
var yamlSteps = []func(string) []edit{yamlFence, yamlTabs, yamlProse, yamlScalars, yamlIndent}

// readYAML says why a text is not YAML, nil if it is: it is read, and every
// alias has its anchor.
func readYAML(text string) (err error) {
	if depth := yamlNesting(text); depth > yamlDepth {
		return fmt.Errorf("%w: %d levels, the limit for YAML is %d", ErrTooDeep, depth, yamlDepth)
	}
	defer func() { // the library reads what it was never tried on
		if r := recover(); r != nil {
			err = fmt.Errorf("the YAML library gave up: %v", r)
		}
	}()
	file, err := yamlparser.ParseBytes([]byte(text), 0)
	if err != nil {
		return err
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v := aliases{anchors: map[string]bool{}}
		ast.Walk(&v, doc.Body)
		if v.missing != "" {
			return fmt.Errorf("alias *%s has no anchor", v.missing)
		}
	}
	return nil
}

// aliases looks for an alias without an anchor before it.
type aliases struct {
	anchors map[string]bool
	missing string
}

func (v *aliases) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.AnchorNode:
		if n.Name != nil {
			v.anchors[n.Name.String()] = true
		}
	case *ast.AliasNode:
		if name := n.Value.String(); !v.anchors[name] && v.missing == "" {
			v.missing = name
		}
	}
	return v
}

// yamlNesting is an upper bound of the nesting: open brackets, dashes on one
// line, levels of indentation.
func yamlNesting(text string) int {
	deepest, open := 0, 0
	var levels []int
	for line := range strings.Lines(text) {
		rest := strings.TrimLeft(line, " \t-?")
		indent := len(line) - len(rest)
		if strings.TrimSpace(rest) != "" {
			for len(levels) > 0 && levels[len(levels)-1] >= indent {
				levels = levels[:len(levels)-1]
			}
			levels = append(levels, indent)
		}
		marks := strings.Count(line[:indent], "-") + strings.Count(line[:indent], "?")
		for i := indent; i < len(line); i++ {
			switch line[i] {
			case '[', '{':
				open++
			case ']', '}':
				open = max(open-1, 0)
			}
			deepest = max(deepest, open+marks+len(levels))
		}
		deepest = max(deepest, marks+len(levels))
	}
	return deepest
}

// yamlFits checks the schema. Aliases are not followed far: they could make a
// small text huge.
func yamlFits(text string, o Options) error {
	if strings.Count(text, "*") > 16 && strings.Contains(text, "&") {
		return fmt.Errorf("%w: it has too many aliases to check", ErrSchema)
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return fmt.Errorf("%w: %v", ErrSchema, err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %v", ErrSchema, err)
	}
	return fitsSchema(string(b), o.Schema)
}

// yamlFence drops everything but the inside of the first code fence that spans
// lines.
func yamlFence(text string) []edit {
	open := regexp.MustCompile("(?m)^[ \t]*```[ \t]*[A-Za-z0-9_+-]*[ \t]*\r?\n").FindStringIndex(text)
	if open == nil {
		return nil
	}
	edits := []edit{{start: 0, end: open[1], kind: Fence}}
	if end := regexp.MustCompile("(?m)^[ \t]*```").FindStringIndex(text[open[1]:]); end != nil {
		edits = append(edits, edit{start: open[1] + end[0], end: len(text), kind: Fence})
	}
	return edits
}

// yamlTabs writes tabs of the indentation as two blanks.
func yamlTabs(text string) (edits []edit) {
	at := 0
	for line := range strings.Lines(text) {
		for i := 0; i < len(line) && (line[i] == ' ' || line[i] == '\t'); i++ {
			if line[i] == '\t' {
				edits = append(edits, edit{start: at + i, end: at + i + 1, after: "  ", kind: Tab})
			}
		}
		at += len(line)
	}
	return edits
}

var (
	yamlKey      = regexp.MustCompile(`^("(?:[^"\\]|\\.)*"|'[^']*'|[^\s#:{}\[\],&*!|>'"%@` + "`" + `-][^:#]*?|-[^\s:][^:#]*?)[ \t]*:([ \t]+|$)`)
	yamlPreface  = regexp.MustCompile(`^\S+(\s+\S+){2,}:?$`)
	yamlTight    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*:[^\s/:]`)
	yamlBlock    = regexp.MustCompile(`(^|[:\-] +)([&!]\S+ +)*[|>][-+0-9]*\s*(#.*)?$`)
	yamlAnchored = regexp.MustCompile(`^[&*][A-Za-z0-9_-]+(\s|$)`)
)

// yamlProse drops lines before and after the document that are neither keys,
// items nor comments.
func yamlProse(text string) (edits []edit) {
	lines := yamlLines(text)
	first, last := -1, -1
	for i, l := range lines {
		if l.structural() && !(first < 0 && l.preface(lines[i+1:])) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return nil
	}
	if lines[first].start > 0 {
		edits = append(edits, edit{start: 0, end: lines[first].start, kind: Prose})
	}
	// Lines that are indented or blank belong to the last entry.
	end := last + 1
	for end < len(lines) && (lines[end].indent > lines[last].indent || lines[end].inBlock) {
		end++
	}
	if end < len(lines) && strings.TrimSpace(text[lines[end].start:]) != "" {
		edits = append(edits, edit{start: lines[end].start, end: len(text), kind: Prose})
	}
	return edits
}
