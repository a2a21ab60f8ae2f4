package corpus

import (
	"path"
	"slices"
	"strings"
)

// kindOfExt is the kind of a file by its extension, in lower case. Formats
// that hold data rather than text (JSON, CSV, SVG, lock files) are left out.
var kindOfExt = map[string]string{
	".txt": "text", ".text": "text",
	".md": "markdown", ".markdown": "markdown", ".rst": "rst", ".org": "org", ".adoc": "asciidoc", ".tex": "tex",
	".jsonl": "jsonl", ".ndjson": "jsonl",
	".html": "html", ".htm": "html", ".css": "css", ".scss": "css",

	".go": "go", ".s": "assembly", ".asm": "assembly",
	".c": "c", ".h": "c", ".cc": "c++", ".cpp": "c++", ".cxx": "c++", ".hh": "c++", ".hpp": "c++", ".cu": "cuda",
	".cs": "c#", ".fs": "f#", ".java": "java", ".kt": "kotlin", ".kts": "kotlin", ".scala": "scala", ".clj": "clojure",
	".py": "python", ".pyi": "python", ".rb": "ruby", ".pl": "perl", ".pm": "perl", ".php": "php", ".lua": "lua",
	".js": "javascript", ".mjs": "javascript", ".cjs": "javascript", ".jsx": "javascript",
	".ts": "typescript", ".tsx": "typescript", ".vue": "vue", ".svelte": "svelte",
	".rs": "rust", ".zig": "zig", ".swift": "swift", ".m": "objective-c", ".mm": "objective-c", ".d": "d", ".nim": "nim",
	".hs": "haskell", ".ml": "ocaml", ".mli": "ocaml", ".ex": "elixir", ".exs": "elixir", ".erl": "erlang",
	".el": "lisp", ".lisp": "lisp", ".scm": "scheme", ".rkt": "scheme", ".r": "r", ".jl": "julia", ".dart": "dart",
	".f": "fortran", ".f90": "fortran", ".f95": "fortran", ".pas": "pascal", ".adb": "ada", ".ads": "ada",
	".v": "verilog", ".sv": "verilog", ".vhd": "vhdl", ".sql": "sql", ".proto": "protobuf",
	".sh": "shell", ".bash": "shell", ".zsh": "shell", ".fish": "shell", ".ps1": "powershell", ".bat": "batch",
	".mk": "make", ".cmake": "cmake", ".bzl": "starlark", ".tf": "terraform", ".nix": "nix",
}

// kindOfName is the kind of files known by their whole name, in lower case.
var kindOfName = map[string]string{
	"makefile": "make", "gnumakefile": "make", "dockerfile": "dockerfile", "cmakelists.txt": "cmake",
	"build.bazel": "starlark", "readme": "text",
}

// prose lists the kinds that are not program source.
var prose = map[string]bool{
	"text": true, "markdown": true, "rst": true, "org": true, "asciidoc": true, "tex": true, "jsonl": true, "html": true,
}

// Kinds returns the names of all kinds of files, sorted.
func Kinds() []string {
	seen := map[string]bool{}
	for _, k := range kindOfExt {
		seen[k] = true
	}
	for _, k := range kindOfName {
		seen[k] = true
	}
	return sortedKeys(seen)
}

func knownKind(k string) bool { return slices.Contains(Kinds(), k) }

// kindOf returns the kind of a file by its name ("" if it has none) and its
// compression ("", "gz" or "zst").
func kindOf(name string) (kind, compression string) {
	name = strings.ToLower(name)
	switch ext := path.Ext(name); ext {
	case ".gz", ".zst":
		compression = ext[1:]
		name = strings.TrimSuffix(name, ext)
	}
	if k := kindOfName[name]; k != "" {
		return k, compression
	}
	return kindOfExt[path.Ext(name)], compression
}
