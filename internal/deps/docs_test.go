package deps

import (
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, tree fs.FS, name string) string {
	t.Helper()
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// section is the text below a heading of the second level.
func section(t *testing.T, text, heading string) string {
	t.Helper()
	_, text, ok := strings.Cut(text, "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("no section %q", heading)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	return text
}

// The tree of the README is the folders that hold packages, in order, each
// with a comment.
func TestReadmeTree(t *testing.T) {
	tree := repository(t)
	want := map[string]bool{}
	goFiles(t, tree, func(name, _ string, _ *token.FileSet, _ *ast.File) {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			want[dir] = true
		}
	})
	_, drawing, _ := strings.Cut(section(t, read(t, tree, "README.md"), "The tree"), "```\n")
	drawing, _, ok := strings.Cut(drawing, "```")
	if !ok {
		t.Fatal("README.md: the tree is not in a block of code")
	}
	got := drawn(t, drawing)
	for _, dir := range slices.Sorted(maps.Keys(want)) {
		if !got[dir] {
			t.Errorf("README.md: the tree lacks %s", dir)
		}
	}
	for dir := range got {
		if !want[dir] {
			t.Errorf("README.md: the tree has %s, which is no folder of packages", dir)
		}
	}
}

// drawn reads a tree of lines "name/  comment", two spaces deeper a level.
func drawn(t *testing.T, drawing string) map[string]bool {
	t.Helper()
	dirs := map[string]bool{}
	var at []string
	for _, line := range strings.Split(strings.TrimRight(drawing, "\n"), "\n") {
		text := strings.TrimLeft(line, " ")
		depth := (len(line) - len(text)) / 2
		name, comment, _ := strings.Cut(text, "/ ")
		if depth > len(at) || strings.TrimSpace(comment) == "" {
			t.Errorf("README.md: the tree: %q is not name/, spaces and a comment", line)
			continue
		}
		at = append(at[:depth], name)
		dirs[path.Join(at...)] = true
	}
	return dirs
}

// The README promises two commands, and CI runs the second.
func TestReadmeCommands(t *testing.T) {
	tree := repository(t)
	var got []string
	for _, line := range strings.Split(section(t, read(t, tree, "README.md"), "Set-up"), "\n") {
		if command, ok := strings.CutPrefix(line, "    "); ok {
			command, _, _ = strings.Cut(command, "  #")
			got = append(got, strings.TrimSpace(command))
		}
	}
	want := []string{"go run ./cmd/foundling raise", "go test ./..."}
	if !slices.Equal(got, want) {
		t.Errorf("README.md: the commands of Set-up are %q, want %q", got, want)
	}
	for _, command := range want {
		if !strings.Contains(read(t, tree, ".ci/run"), command) {
			t.Errorf(".ci/run does not run %q", command)
		}
	}
}

// ARCHITECTURE.md states the floors as this package has them.
func TestArchitectureFloors(t *testing.T) {
	var names []string
	for _, rooms := range floors {
		name := strings.Join(rooms, ", ")
		if name == root {
			name = "the root package"
		}
		if len(rooms) > 1 {
			name = "{" + name + "}"
		}
		names = append(names, name)
	}
	want := strings.Join(names, " < ")
	text := strings.Join(strings.Fields(read(t, repository(t), "ARCHITECTURE.md")), " ")
	if !strings.Contains(text, want) {
		t.Errorf("ARCHITECTURE.md does not state the floors: want %s", want)
	}
	if lines := strings.Count(read(t, repository(t), "ARCHITECTURE.md"), "\n"); lines > 120 {
		t.Errorf("ARCHITECTURE.md has %d lines, more than two screens", lines)
	}
}

// What the documents name as a file or a folder in `code` is there.
func TestDocumentsNameWhatExists(t *testing.T) {
	tree := repository(t)
	code := regexp.MustCompile("`([a-z_./0-9]+/|[A-Za-z_./0-9]+\\.(?:go|py|md|s))`")
	for _, name := range []string{"README.md", "ARCHITECTURE.md", "PAPERS.md"} {
		for _, m := range code.FindAllStringSubmatch(read(t, tree, name), -1) {
			if strings.HasPrefix(m[1], "../") {
				continue // beside the checkout
			}
			if _, err := fs.Stat(tree, strings.TrimSuffix(m[1], "/")); err != nil {
				t.Errorf("%s names %s: %v", name, m[1], err)
			}
		}
	}
}

// comments joins the lines of comments, so that a citation may be broken.
var comments = regexp.MustCompile(`\n[\t ]*(//|#)?[\t ]*`)

var (
	citation = regexp.MustCompile(`(?i)arxiv[: ]+\d{4}\.\d{4,5}(?:(?:,| and|, and) (?:arxiv[: ]+)?\d{4}\.\d{4,5})*`)
	number   = regexp.MustCompile(`\d{4}\.\d{4,5}`)
	paper    = regexp.MustCompile(`(?m)^\| (\p{L}+).*? (\d{4})\b.*? \| (.*?) \| (.*?) \|$`)
	quoted   = regexp.MustCompile("`([^`]+)`")
)

// cited returns the arXiv numbers that a text cites.
func cited(text string) (ids []string) {
	for _, c := range citation.FindAllString(comments.ReplaceAllString(text, " "), -1) {
		ids = append(ids, number.FindAllString(c, -1)...)
	}
	return ids
}

func TestCited(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"// A 2023 (arXiv 2302.13971 and\n\t// 2307.09288; arXiv:2407.21783)", []string{"2302.13971", "2307.09288", "2407.21783"}},
		{"# B 2019, arXiv\n# 1711.05101, alg. 2", []string{"1711.05101"}},
		{"x := 1234.56789 // arXiv", nil},
	} {
		if got := cited(c.text); !slices.Equal(got, c.want) {
			t.Errorf("cited(%q): got %v, want %v", c.text, got, c.want)
		}
	}
}

// PAPERS.md and the code know of each other: every arXiv number in the code
// has its row, and every file of a row cites the paper, by number or, where it
// has none, by first author and year.
func TestPapers(t *testing.T) {
	tree := repository(t)
	listed := map[string]bool{}
	rows := paper.FindAllStringSubmatch(read(t, tree, "PAPERS.md"), -1)
	if len(rows) < 30 {
		t.Fatalf("PAPERS.md: read %d rows | paper | number | files |: is the table still one?", len(rows))
	}
	for _, row := range rows {
		author, year, id := row[1], row[2], number.FindString(row[3])
		listed[id] = true
		names := quoted.FindAllStringSubmatch(row[4], -1)
		if len(names) == 0 {
			t.Errorf("PAPERS.md: %s %s is used by no file", author, year)
		}
		for _, m := range names {
			text, err := fs.ReadFile(tree, m[1])
			if err != nil {
				t.Errorf("PAPERS.md: %s %s: %v", author, year, err)
				continue
			}
			if id != "" && !slices.Contains(cited(string(text)), id) {
				t.Errorf("PAPERS.md says that %s follows arXiv %s: it does not cite it", m[1], id)
			}
			if id == "" && (!strings.Contains(string(text), author) || !strings.Contains(string(text), year)) {
				t.Errorf("PAPERS.md says that %s follows %s %s: it does not cite them", m[1], author, year)
			}
		}
	}
	files(t, tree, func(name, text string) {
		if ext := path.Ext(name); ext == ".md" || strings.HasPrefix(name, "internal/deps/") {
			return
		}
		for _, id := range cited(text) {
			if !listed[id] {
				t.Errorf("%s cites arXiv %s: PAPERS.md has no row for it", name, id)
			}
		}
	})
}
