package hub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// File is a file of a model on a hub.
type File struct {
	Path   string `json:"path"` // with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"` // of large files
	Blob   string `json:"git,omitempty"`    // git's SHA-1 of small files
}

// maxSize is above that of any file of a model, so that sums do not overflow.
const maxSize = 1 << 45

// entry is one of the list that /api/models/ID/tree gives.
type entry struct {
	Type string
	Path string
	Size int64
	OID  string
	LFS  *struct {
		OID  string
		Size int64
	}
}

// Files lists the files of a model at one commit.
func (c *Client) Files(ctx context.Context, ref Ref) (commit string, files []File, err error) {
	what := "model " + ref.ID
	var info struct{ SHA string }
	base := c.endpoint() + "/api/models/" + ref.ID
	revision := url.PathEscape(ref.revision())
	if _, err := c.getJSON(ctx, base+"/revision/"+revision, what+" at revision "+ref.revision(), &info); err != nil {
		return "", nil, err
	}
	if !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(info.SHA) {
		return "", nil, fmt.Errorf("%s: the hub names no commit for revision %s", what, ref.revision())
	}
	next := base + "/tree/" + info.SHA + "?recursive=1"
	for page := 0; next != ""; page++ {
		if page == 1000 {
			return "", nil, fmt.Errorf("%s: the list of files has no end", what)
		}
		var list []entry
		header, err := c.getJSON(ctx, next, what, &list)
		if err != nil {
			return "", nil, err
		}
		for _, e := range list {
			if e.Type != "file" {
				continue
			}
			f := File{Path: e.Path, Size: e.Size, Blob: e.OID}
			if e.LFS != nil {
				f.Size, f.SHA256, f.Blob = e.LFS.Size, strings.TrimPrefix(e.LFS.OID, "sha256:"), ""
			}
			if !safePath(f.Path) || f.Size < 0 || f.Size > maxSize {
				return "", nil, fmt.Errorf("%s: the hub lists a file that cannot be one: %q of %d bytes", what, f.Path, f.Size)
			}
			files = append(files, f)
		}
		if next, err = c.nextPage(header, next); err != nil {
			return "", nil, err
		}
	}
	return info.SHA, files, nil
}

// safePath tells whether a path stays inside the folder it is put in.
func safePath(p string) bool {
	return p != "" && len(p) < 1000 && path.Clean(p) == p && filepath.IsLocal(filepath.FromSlash(p)) && !strings.ContainsAny(p, "\\:\x00") &&
		!strings.HasPrefix(p, partialFolder) && p != manifestFile
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*rel="?next"?`)

// nextPage is the address of the next page of a list, which must be on the hub:
// the token goes there.
func (c *Client) nextPage(h http.Header, at string) (string, error) {
	m := nextLink.FindStringSubmatch(h.Get("Link"))
	if m == nil {
		return "", nil
	}
	from, err := url.Parse(at)
	if err != nil {
		return "", err
	}
	to, err := from.Parse(m[1])
	if err != nil || to.Host != from.Host || to.Scheme != from.Scheme {
		return "", fmt.Errorf("the next page of the list of files is at %q, not on the hub", m[1])
	}
	return to.String(), nil
}

// needed are the files of a model directory, in its root.
var needed = []string{
	"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model", "special_tokens_map.json",
	"added_tokens.json", "vocab.json", "vocab.txt", "merges.txt", "chat_template.jinja", "chat_template.json", "*.safetensors",
	"*.safetensors.index.json", "LICENSE*",
}

// Choose picks the files to pull: those that match a pattern of include (a
// pattern without a slash matches files in any folder), or the one that ref
// names, or what a model directory needs.
func Choose(ref Ref, files []File, include []string) ([]File, error) {
	for _, p := range include {
		if _, err := path.Match(p, ""); err != nil {
			return nil, fmt.Errorf("the pattern %q is malformed", p)
		}
	}
	switch {
	case ref.File != "":
		return chooseFile(ref, files)
	case len(include) > 0:
		out := matching(files, func(f File) bool {
			return slices.ContainsFunc(include, func(p string) bool {
				whole, _ := path.Match(p, f.Path)
				base, _ := path.Match(p, path.Base(f.Path))
				return whole || base && !strings.Contains(p, "/")
			})
		})
		if len(out) == 0 {
			return nil, fmt.Errorf("no file of %s matches %s; it has %s", ref.ID, strings.Join(include, " "), listed(files))
		}
		return out, nil
	}
	out := matching(files, func(f File) bool {
		return slices.ContainsFunc(needed, func(p string) bool { ok, _ := path.Match(p, f.Path); return ok })
	})
	weights := func(f File) bool { return strings.HasSuffix(f.Path, ".safetensors") }
	if slices.ContainsFunc(out, weights) {
		if !slices.ContainsFunc(out, func(f File) bool { return f.Path == configFile }) {
			return nil, fmt.Errorf("%s has safetensors but no %s: it is no model directory; name files with include patterns", ref.ID, configFile)
		}
		if slices.ContainsFunc(out, func(f File) bool { return weights(f) && strings.HasPrefix(f.Path, "model") }) {
			// Some models come twice: "consolidated" is the same in the layout of
			// their makers.
			out = slices.DeleteFunc(out, func(f File) bool { return strings.HasPrefix(f.Path, "consolidated") })
		}
		return out, nil
	}
	ggufs := matching(files, isGGUF)
	switch len(ggufs) {
	case 0:
		return nil, fmt.Errorf("%s has neither safetensors nor GGUF files; it has %s", ref.ID, listed(files))
	case 1:
		return ggufs, nil
	}
	return nil, fmt.Errorf("%s has several GGUF files: name one, as in %s:%s; there are %s", ref.ID, ref.ID, ggufs[0].Path, listed(ggufs))
}

func isGGUF(f File) bool { return strings.HasSuffix(strings.ToLower(f.Path), ".gguf") }

var splitGGUF = regexp.MustCompile(`-\d{5}-of-(\d{5})\.gguf$`)

// chooseFile finds the file of that name, or the only one, GGUF files first,
// whose name holds it. Of a file in parts all are chosen.
func chooseFile(ref Ref, files []File) ([]File, error) {
	wanted := strings.ToLower(ref.File)
	found := matching(files, func(f File) bool { return f.Path == ref.File })
	for _, among := range [][]File{matching(files, isGGUF), files} {
		if len(found) == 0 {
			found = matching(among, func(f File) bool { return strings.Contains(strings.ToLower(f.Path), wanted) })
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no file %q; it has %s", ref.ID, ref.File, listed(files))
	}
	if m := splitGGUF.FindStringIndex(found[0].Path); m != nil {
		stem := found[0].Path[:m[0]]
		parts := matching(files, func(f File) bool {
			rest, ok := strings.CutPrefix(f.Path, stem)
			return ok && splitGGUF.FindString(rest) == rest && rest != ""
		})
		if !slices.ContainsFunc(found, func(f File) bool { return !slices.Contains(parts, f) }) {
			return parts, nil
		}
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%q is the name of several files of %s: %s", ref.File, ref.ID, listed(found))
	}
	return found, nil
}

func matching(files []File, ok func(File) bool) (out []File) {
	for _, f := range files {
		if ok(f) {
			out = append(out, f)
		}
	}
	return out
}

// listed names some files.
func listed(files []File) string {
	const most = 20
	var names []string
	for i, f := range files {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(files)-most))
			break
		}
		names = append(names, f.Path)
	}
	if len(names) == 0 {
		return "no files"
	}
	return strings.Join(names, ", ")
}
