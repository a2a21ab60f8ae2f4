package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed page.html
var pageSource string

//go:embed style.css
var styleSource string

// renderer is one Render: it numbers the charts and keeps the anchors unique.
type renderer struct {
	templates *template.Template
	charts    int
	anchors   map[string]bool
}

// Render writes the page.
func (p *Page) Render(w io.Writer) error {
	r := &renderer{anchors: map[string]bool{}}
	r.templates = template.Must(template.New("report").Funcs(template.FuncMap{
		"show":  r.show,
		"plain": plain,
	}).Parse(pageSource))
	type section struct {
		Section
		Anchor string
	}
	data := struct {
		*Page
		Style    template.CSS
		Sections []section
	}{Page: p, Style: template.CSS(styleSource)}
	for _, s := range p.Sections {
		data.Sections = append(data.Sections, section{s, r.anchor(s.Title)})
	}
	var out bytes.Buffer
	if err := r.templates.ExecuteTemplate(&out, "page", data); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	_, err := w.Write(bytes.ToValidUTF8(out.Bytes(), []byte("\uFFFD")))
	return err
}

// show renders one block; a template calls it for each.
func (r *renderer) show(b Block) (template.HTML, error) {
	name, data := b.view(r)
	var out bytes.Buffer
	if err := r.templates.ExecuteTemplate(&out, name, data); err != nil {
		return "", err
	}
	return template.HTML(out.String()), nil
}

// chart numbers a chart.
func (r *renderer) chart() int {
	r.charts++
	return r.charts
}

// anchor makes an id of a title: letters and digits, dashes between.
func (r *renderer) anchor(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsDigit(c)
	})
	base := "s-" + strings.Join(words, "-")
	id := base
	for i := 2; r.anchors[id]; i++ {
		id = fmt.Sprint(base, "-", i)
	}
	r.anchors[id] = true
	return id
}

// plain makes the bytes of a sample fit to be shown: what is not UTF-8 becomes
// the replacement character, control characters their pictures (U+2400), and
// characters that reorder text (as in "Trojan Source", CVE-2021-42574) their
// numbers.
func plain(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		c, n := utf8.DecodeRuneInString(s)
		s = s[n:]
		switch {
		case c == '\n' || c == '\t':
			b.WriteRune(c)
		case c < 0x20:
			b.WriteRune(0x2400 + c)
		case c == 0x7f:
			b.WriteRune(0x2421)
		case c >= 0x80 && c < 0xa0, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfffe, c == 0xffff:
			fmt.Fprintf(&b, "\\u%04x", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

func (b Cards) view(*renderer) (string, any)     { return "cards", b }
func (b KeyValues) view(*renderer) (string, any) { return "keyvalues", b }
func (b Samples) view(*renderer) (string, any)   { return "samples", b }
func (b Code) view(*renderer) (string, any)      { return "code", b }
func (b Fold) view(*renderer) (string, any)      { return "fold", b }

func (b Text) view(*renderer) (string, any) {
	var paragraphs []string
	for _, p := range strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	return "text", paragraphs
}

func (b Table) view(*renderer) (string, any) {
	type cell struct {
		Text  string
		Right bool
	}
	type row struct {
		Cells []cell
		Tone  Tone
	}
	rows := make([]row, len(b.Rows))
	for i, r := range b.Rows {
		if len(r.Cells) != len(b.Columns) {
			panic(fmt.Sprintf("report: table %q: row %d has %d cells, %d columns", b.Title, i, len(r.Cells), len(b.Columns)))
		}
		rows[i].Tone = r.Tone
		for j, text := range r.Cells {
			rows[i].Cells = append(rows[i].Cells, cell{text, b.Columns[j].Right})
		}
	}
	return "table", struct {
		Table
		Rows []row
	}{b, rows}
}
