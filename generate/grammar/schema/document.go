package schema

import (
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// A document is one JSON text of schemas.
type document struct {
	name  string // address; "" for the schema that is compiled
	root  *value
	named bool // there may be $id or anchors below the root
	home  *resource
}

// A resource is a schema with an address of its own: a document's root, or a schema
// in it with $id.
type resource struct {
	doc       *document
	root      *value
	base      string // absolute address without fragment; "" where none was given
	draft     Draft
	annotates bool // format, by its $schema
	anchors   map[string]*value
	dynamic   map[string]*value // $dynamicAnchor; "" is $recursiveAnchor
}

// A library holds the documents of one compilation.
type library struct {
	options   Options
	byAddress map[string]*resource
	byRoot    map[*value]*resource
	notes     *notes
	complete  bool // all of Options.Documents are indexed
}

// add indexes a document: its resources and anchors.
func (l *library) add(d *document) error {
	home := &resource{doc: d, root: d.root, base: strings.TrimSuffix(d.name, "#"), draft: l.options.Draft}
	if err := l.open(home, true); err != nil {
		return err
	}
	d.home = home
	l.byRoot[d.root] = home
	if d.name != "" {
		l.byAddress[home.doc.name] = home
	}
	l.byAddress[home.base] = home
	if d.named {
		return l.walk(d.root, home)
	}
	return nil
}

// open reads the draft and the address of a resource from its root schema.
func (l *library) open(r *resource, isDocument bool) error {
	if s := r.root.get("$schema"); s != nil {
		d, err := draftOf(s)
		switch {
		case err == nil:
			r.draft, r.annotates = d, d.since(Draft2019)
		case l.options.Lenient:
			l.notes.add(r.root, "$schema", err.(*Error).Message+": read as "+r.draft.String())
		default:
			return err
		}
	}
	id := idOf(r.root, r.draft)
	if id == "" {
		return nil
	}
	address, _, _ := strings.Cut(id, "#")
	if address == "" {
		return nil
	}
	base, err := resolve(r.base, address)
	if err != nil {
		l.notes.add(r.root, "$id", fmt.Sprintf("%q is no address", id))
		return nil
	}
	r.base = base
	return nil
}

// idOf is the address that a schema gives itself, "" if none.
func idOf(v *value, d Draft) string {
	key := "$id"
	if d == Draft4 {
		key = "id"
	}
	id := v.get(key)
	if id == nil || id.kind != '"' || d != DraftDefault && d <= Draft7 && v.get("$ref") != nil {
		return ""
	}
	return id.text
}

// walk finds the resources and anchors below a schema, at places of schemas only.
func (l *library) walk(v *value, r *resource) error {
	if v.kind != '{' {
		return nil
	}
	if id := idOf(v, r.draft); v != r.root && id != "" && !strings.HasPrefix(id, "#") {
		inner := &resource{doc: r.doc, root: v, base: r.base, draft: r.draft, annotates: r.annotates}
		if err := l.open(inner, false); err != nil {
			return err
		}
		if _, known := l.byAddress[inner.base]; !known {
			l.byAddress[inner.base] = inner
		}
		l.byRoot[v] = inner
		r = inner
	}
	l.anchors(v, r)
	for i, key := range v.keys {
		k := keywordByName[key]
		if k == nil || k.place == noSchema || !r.draft.has(k) {
			continue
		}
		below := v.vals[i]
		if err := l.walk(below, r); k.place == oneSchema || k.place == schemaOrList && below.kind == '{' {
			if err != nil {
				return err
			}
			continue
		}
		for _, w := range below.vals {
			if err := l.walk(w, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *library) anchors(v *value, r *resource) {
	set := func(m *map[string]*value, name string) {
		if *m == nil {
			*m = map[string]*value{}
		}
		if _, known := (*m)[name]; !known {
			(*m)[name] = v
		}
	}
	if id := idOf(v, r.draft); strings.HasPrefix(id, "#") && r.draft.until(Draft7) {
		set(&r.anchors, id[1:])
	}
	if a := v.get("$anchor"); a != nil && a.kind == '"' && r.draft.since(Draft2019) {
		set(&r.anchors, a.text)
	}
	if a := v.get("$dynamicAnchor"); a != nil && a.kind == '"' && r.draft.since(Draft2020) {
		set(&r.anchors, a.text)
		set(&r.dynamic, a.text)
	}
	if a := v.get("$recursiveAnchor"); a != nil && a.kind == 't' && r.draft == Draft2019 && v == r.root {
		set(&r.dynamic, "")
	}
}

// resourceOf is the resource that a schema lies in.
func (l *library) resourceOf(v *value) *resource {
	if !v.doc.named {
		return v.doc.home
	}
	for w := v; w != nil; w = w.up {
		if r := l.byRoot[w]; r != nil {
			return r
		}
	}
	return v.doc.home
}

// resolve is a reference read at an address (RFC 3986).
func resolve(base, ref string) (string, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return "", err
	}
	if base == "" || u.IsAbs() {
		return u.String(), nil
	}
	b, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	return b.ResolveReference(u).String(), nil
}

// follow finds the schema that a reference names.
func (l *library) follow(from *value, keyword, ref string) (*value, error) {
	r := l.resourceOf(from)
	address, fragment, _ := strings.Cut(ref, "#")
	if address != "" {
		full, err := resolve(r.base, address)
		if err != nil {
			return nil, refuse(from, keyword, fmt.Sprintf("%q is no address", ref), "a schema of the same document is #/$defs/NAME")
		}
		if r, err = l.find(from, keyword, full); err != nil {
			return nil, err
		}
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return nil, refuse(from, keyword, fmt.Sprintf("%q is no address", ref), "a schema of the same document is #/$defs/NAME")
	}
	var v *value
	if fragment == "" {
		v = r.root
	} else if fragment[0] == '/' {
		v = at(r.root, fragment)
	} else {
		v = r.anchors[fragment]
	}
	if v == nil {
		return nil, refuse(from, keyword, fmt.Sprintf("%q leads nowhere", ref), refRemedy(r.root, fragment))
	}
	if v.kind != '{' && v.kind != 't' && v.kind != 'f' {
		return nil, refuse(from, keyword, fmt.Sprintf("%q leads to %s, which is not a schema", ref, kindName(v.kind)), "a schema is an object, true or false")
	}
	return v, nil
}

// find is the resource of an address, from the documents that the options bring.
func (l *library) find(from *value, keyword, address string) (*resource, error) {
	if r := l.byAddress[address]; r != nil {
		return r, nil
	}
	src, ok := l.options.Documents[address]
	if !ok {
		for d, meta := range metaAddress {
			if address == meta {
				src, ok = metaSchema(d), true
			}
		}
	}
	if !ok && !l.complete { // the address may be an $id in one of the documents
		l.complete = true
		if err := l.addDocuments(); err != nil {
			return nil, err
		}
		return l.find(from, keyword, address)
	}
	if !ok {
		return nil, refuse(from, keyword, fmt.Sprintf("the document %s is not here, and none is fetched", address),
			"put its schema below $defs and write #/$defs/NAME (a Go program may give it in Options.Documents)")
	}
	d, err := load(src, address)
	if err != nil {
		return nil, err
	}
	if err := l.add(d); err != nil {
		return nil, err
	}
	return d.home, nil
}

// addDocuments indexes all given documents.
func (l *library) addDocuments() error {
	names := make([]string, 0, len(l.options.Documents))
	for name := range l.options.Documents {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if l.byAddress[name] != nil {
			continue
		}
		d, err := load(l.options.Documents[name], name)
		if err != nil {
			return err
		}
		if err := l.add(d); err != nil {
			return err
		}
	}
	return nil
}

// at walks a JSON pointer.
func at(v *value, pointer string) *value {
	for _, step := range strings.Split(pointer[1:], "/") {
		step = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
		switch v.kind {
		case '{':
			v = v.get(step)
		case '[':
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(v.vals) {
				return nil
			}
			v = v.vals[i]
		default:
			return nil
		}
		if v == nil {
			return nil
		}
	}
	return v
}
