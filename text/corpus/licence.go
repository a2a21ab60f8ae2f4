package corpus

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// licenceMark is a phrase that tells a licence, in lower case with single
// spaces. The earliest phrase in a text decides, since long licences name
// other ones further down.
type licenceMark struct {
	phrase string
	id     string // SPDX identifier
}

var licenceMarks = []licenceMark{
	{"apache license version 2.0", "Apache-2.0"},
	{"apache license, version 2.0", "Apache-2.0"},
	{"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"},
	{"redistribution and use in source and binary forms", "BSD"},
	{"permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"},
	{"permission to use, copy, modify, and distribute this software for any purpose", "ISC"},
	{"gnu lesser general public license version 3", "LGPL-3.0"},
	{"gnu lesser general public license version 2.1", "LGPL-2.1"},
	{"gnu affero general public license version 3", "AGPL-3.0"},
	{"gnu general public license version 3", "GPL-3.0"},
	{"gnu general public license version 2", "GPL-2.0"},
	{"gnu free documentation license", "GFDL"},
	{"mozilla public license version 2.0", "MPL-2.0"},
	{"mozilla public license, version 2.0", "MPL-2.0"},
	{"mozilla public license version 1.1", "MPL-1.1"},
	{"eclipse public license - v 2.0", "EPL-2.0"},
	{"eclipse public license - v 1.0", "EPL-1.0"},
	{"boost software license - version 1.0", "BSL-1.0"},
	{"cc0 1.0 universal", "CC0-1.0"},
	{"attribution-noncommercial-sharealike 4.0", "CC-BY-NC-SA-4.0"},
	{"attribution-noncommercial-noderivatives 4.0", "CC-BY-NC-ND-4.0"},
	{"attribution-noncommercial 4.0", "CC-BY-NC-4.0"},
	{"attribution-sharealike 4.0", "CC-BY-SA-4.0"},
	{"attribution-sharealike 3.0", "CC-BY-SA-3.0"},
	{"attribution-noderivatives 4.0", "CC-BY-ND-4.0"},
	{"attribution 4.0 international", "CC-BY-4.0"},
	{"attribution 3.0", "CC-BY-3.0"},
	{"this is free and unencumbered software released into the public domain", "Unlicense"},
	{"this software is provided 'as-is', without any express or implied warranty", "Zlib"},
	{"python software foundation license", "PSF-2.0"},
	{"do what the fuck you want to public license", "WTFPL"},
}

// ClassifyLicence names the licence that a licence file states, as an SPDX
// identifier; "other" if it is none of the common ones. It goes by tell-tale
// phrases and gives no legal opinion: a text that holds several licences is
// named after the first.
func ClassifyLicence(s string) string {
	if id := headerLicence(s); id != "" {
		return id
	}
	s = strings.ToLower(s)
	for _, mark := range []string{"*", "#", "//", "\""} {
		s = strings.ReplaceAll(s, mark, " ")
	}
	s = strings.Join(strings.Fields(s), " ")
	best, at := "other", len(s)
	for _, m := range licenceMarks {
		if i := strings.Index(s[:at], m.phrase); i >= 0 {
			best, at = m.id, i
		}
	}
	if best == "BSD" {
		switch {
		case strings.Contains(s, "openssl toolkit"):
			return "OpenSSL"
		case strings.Contains(s, "all advertising materials mentioning"):
			return "BSD-4-Clause"
		case strings.Contains(s, "neither the name"), strings.Contains(s, "endorse or promote products"):
			return "BSD-3-Clause"
		}
		return "BSD-2-Clause"
	}
	return best
}

// isLicenceFile reports whether a file name is one that licences go by, such
// as LICENSE, COPYING.LESSER or LICENSE-MIT.txt.
func isLicenceFile(name string) bool {
	name = strings.ToLower(name)
	for _, stem := range []string{"license", "licence", "copying", "unlicense"} {
		rest, ok := strings.CutPrefix(name, stem)
		if !ok {
			continue
		}
		rest = strings.TrimSuffix(strings.TrimSuffix(rest, ".txt"), ".md")
		if rest == "" {
			return true
		}
		// LICENSE-MIT or COPYING.LESSER, but not license.go, license_test.go.
		if kind, _ := kindOf(name); (rest[0] == '-' || rest[0] == '.') && (kind == "" || prose[kind]) {
			return true
		}
	}
	return false
}

// licencesIn returns the licences stated by the licence files of a folder,
// joined by " + ", or "". A folder that cannot be read has none here; the walk
// reports it.
func licencesIn(dir string) string {
	const maxBytes = 128 << 10 // the longest common licence has 35 kB
	entries, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	var ids []string
	for _, e := range entries {
		if !isLicenceFile(e.Name()) || e.IsDir() {
			continue
		}
		info, err := e.Info()
		if err != nil || info.Size() > maxBytes {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		ids = append(ids, ClassifyLicence(string(b)))
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " + ")
}

// headerLicence returns the expression of an SPDX-License-Identifier in the
// head of a file, or "".
func headerLicence(s string) string {
	const mark = "SPDX-License-Identifier:"
	head := s[:min(len(s), headBytes)]
	i := strings.Index(head, mark)
	if i < 0 {
		return ""
	}
	line, _, _ := strings.Cut(head[i+len(mark):], "\n")
	for _, closer := range []string{"*/", "-->", "\"", "#}"} {
		line, _, _ = strings.Cut(line, closer)
	}
	line = strings.TrimSpace(line)
	if len(line) > 100 {
		return ""
	}
	return line
}
