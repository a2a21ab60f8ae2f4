package repair

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/foundling-lm/foundling/internal/golden"
)

func TestYAMLSamples(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"a: b: c\n", "a: 'b: c'\n"},
		{"a: \"x\nb: 1\n", "a: \"x\"\nb: 1\n"},
		{"a:\n\tb: 1\n", "a:\n  b: 1\n"},
		{"key:value\nb: 1\n", "key: value\nb: 1\n"},
		{"a: @x\nb: `y`\nc: *bold*\nd: 50%\n", "a: '@x'\nb: '`y`'\nc: '*bold*'\nd: 50%\n"},
		{"a: {{ x }}\n", "a: '{{ x }}'\n"},
		{"a: 'it's'\n", "a: 'it''s'\n"},
		{"a: \"say \"hi\" now\"\n", "a: \"say \\\"hi\\\" now\"\n"},
		{"a: \"x\" y\n", "a: '\"x\" y'\n"},
		{"- [x] done\n- [ ] open\n", "- '[x] done'\n- '[ ] open'\n"},
		{"```yaml\na: 1\n```\n", "a: 1\n"},
		{"Here is the YAML:\n\n```yaml\na: 1\nb:\n  - x\n```\nHope it helps: really!\n", "a: 1\nb:\n  - x\n"},
		{"Sure, here you go!\n\na: 1\nb: 2\n\nI hope this helps!\n", "a: 1\nb: 2\n"},
		{"a:\n  b: 1\n c: 2\n", "a:\n  b: 1\n  c: 2\n"},
		{"a: 1\n  b: 2\nc: 3\n", "a: 1\nb: 2\nc: 3\n"},
		{"a:\n  - x: 1\n   - x: 2\n  - x: 3\n", "a:\n  - x: 1\n  - x: 2\n  - x: 3\n"},
		{"a: - b\n", "a: \n  - b\n"},
		{"- b\n-c\n", "- b\n- c\n"},
		{"a: 1\nb: 2\na: 3\n", "b: 2\na: 3\n"},
		{"- a: 1\n  b: 2\n  a: 3\n", "- b: 2\n  a: 3\n"},
		{"a: [x, y\nb: 1\n", "a: [\"x\", \"y\"]\nb: 1\n"},
		{"a: “x”\nb: c: d\n", "a: 'x'\nb: 'c: d'\n"},
		{"text: |\n  a: b: c\n\td\nb: x: y\n", "text: |\n  a: b: c\n  d\nb: 'x: y'\n"},
		{`{"a": 1, b: [2}`, `{"a": 1, "b": [2]}`},
	} {
		r, err := YAML(c.in, Options{})
		if err != nil || r.Text != c.out {
			t.Errorf("%q became %q (%v), want %q", c.in, r.Text, err, c.out)
			continue
		}
		if got := Apply(c.in, r.Changes); got != r.Text {
			t.Errorf("the changes of %q give %q", c.in, got)
		}
		again, err := YAML(r.Text, Options{})
		if err != nil || again.Text != r.Text {
			t.Errorf("a second repair of %q gives %q (%v)", r.Text, again.Text, err)
		}
	}
}

// TestYAMLSuite: valid YAML is not touched. What the library cannot read is
// counted: there the text may change.
func TestYAMLSuite(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(golden.Data(t, "structured", "yaml-test-suite"), "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	visible := strings.NewReplacer("␣", " ", "↵", "", "∎", "", "⇔", "\ufeff", "←", "\r")
	tabs := regexp.MustCompile("—*»")
	n, same, unread, wrong := 0, 0, 0, 0
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct {
			YAML string
			Fail bool
		}
		if err := yaml.Unmarshal(b, &cases); err != nil {
			unread++
			continue
		}
		for _, c := range cases {
			text := visible.Replace(tabs.ReplaceAllString(c.YAML, "\t"))
			if strings.HasSuffix(text, "∎\n") {
				text = strings.TrimSuffix(text, "\n")
			}
			r, err := YAML(text, Options{})
			if err == nil && Apply(text, r.Changes) != r.Text {
				t.Errorf("%s: the changes do not give the text", name)
			}
			if c.Fail || c.YAML == "" {
				continue
			}
			n++
			switch {
			case err == nil && r.Text == text:
				same++
			case readYAML(text) != nil:
				unread++
			default:
				wrong++
				t.Errorf("%s: valid YAML %q became %q (%v)", filepath.Base(name), text, r.Text, err)
			}
		}
	}
	t.Logf("of %d valid texts %d came back byte for byte, %d are not read by the library", n, same, unread)
	if same < n*85/100 {
		t.Errorf("only %d of %d valid texts came back", same, n)
	}
}

// block writes a value as YAML in block style; every text is plain where YAML
// reads it as that text.
func block(b *strings.Builder, v any, indent int) {
	pad := strings.Repeat(" ", indent)
	switch v := v.(type) {
	case map[string]any:
		keys := []string{}
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for i, k := range keys {
			if i > 0 {
				b.WriteString(pad)
			}
			b.WriteString(k + ":")
			child(b, v[k], indent)
		}
	case []any:
		for i, item := range v {
			if i > 0 {
				b.WriteString(pad)
			}
			b.WriteString("-")
			switch item := item.(type) {
			case map[string]any:
				b.WriteString(" ")
				block(b, item, indent+2)
			case []any:
				b.WriteString("\n" + pad + "  ")
				block(b, item, indent+2)
			default:
				b.WriteString(" " + plain(item) + "\n")
			}
		}
	}
}

func child(b *strings.Builder, v any, indent int) {
	switch v.(type) {
	case map[string]any, []any:
		b.WriteString("\n" + strings.Repeat(" ", indent+2))
		block(b, v, indent+2)
	default:
		b.WriteString(" " + plain(v) + "\n")
	}
}

func plain(v any) string {
	s, ok := v.(string)
	if ok && words.MatchString(s) && !isLiteral(s) {
		return s
	}
	b, _ := json.Marshal(v)
	return string(b)
}

func yamlValueOf(t *testing.T, text string) any {
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return err
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return value(string(b))
}

// lineCorruption changes one line that fits.
func lineCorruption(name, match string, with func(d *dice, line string) string) corruption {
	re := regexp.MustCompile(match)
	return corruption{name, func(d *dice, text string) (broken, bool) {
		lines := strings.SplitAfter(text, "\n")
		var fit []int
		for i, l := range lines {
			if re.MatchString(l) {
				fit = append(fit, i)
			}
		}
		if len(fit) == 0 {
			return broken{}, false
		}
		i := pick(d, fit)
		lines[i] = with(d, lines[i])
		return broken{strings.Join(lines, ""), text}, true
	}}
}

var yamlCorruptions = []corruption{
	{"yaml/tabs", func(d *dice, text string) (broken, bool) {
		return broken{strings.ReplaceAll(text, "  ", "\t"), text}, strings.Contains(text, "\n  ") && !strings.Contains(text, "-  ")
	}},
	{"yaml/fence", func(d *dice, text string) (broken, bool) {
		return broken{pick(d, []string{"", "Here is the file:\n\n"}) + pick(d, []string{"```yaml\n", "```\n", "``` yml\n"}) + text + "```\n" + pick(d, []string{"", "\nThat is all.\n"}), text}, true
	}},
	{"yaml/prose", func(d *dice, text string) (broken, bool) {
		return broken{"Sure, here you go!\n\n" + text + pick(d, []string{"", "\nLet me know if you need more.\n"}), text}, text[0] != '-' // before a list it is a text of YAML
	}},
	lineCorruption("yaml/dash", `^ *- [a-z]\w*( \w+)*\n$`, func(d *dice, l string) string { return strings.Replace(l, "- ", "-", 1) }),
	lineCorruption("yaml/colon-space", `^ *(- )?[a-z_]+: [a-zA-Z0-9"][^:]*\n$`, func(d *dice, l string) string { return strings.Replace(l, ": ", ":", 1) }),
	{"yaml/colon-in-value", func(d *dice, text string) (broken, bool) {
		// A text with a colon, which was quoted, without its quotes.
		return broken{strings.ReplaceAll(text, `: "note: urgent"`, ": note: urgent"), text}, strings.Contains(text, `: "note: urgent"`)
	}},
	lineCorruption("yaml/open-quote", `: "[^"\\:#]+"\n$`, func(d *dice, l string) string { return strings.TrimSuffix(l, "\"\n") + "\n" }),
	lineCorruption("yaml/list-indent", `^ +- [A-Za-z_ ]+: .+\n$`, func(d *dice, l string) string { return " " + l }),
	lineCorruption("yaml/indent", `^ +[a-z]+: \d+\n$`, func(d *dice, l string) string { return pick(d, []string{" ", ""}) + l[1-d.n(1):] }),
	{"yaml/duplicate", func(d *dice, text string) (broken, bool) {
		first, rest, _ := strings.Cut(text, "\n")
		key, _, ok := strings.Cut(first, ": ")
		return broken{key + ": 17\n" + first + "\n" + rest, text}, ok && !strings.HasPrefix(first, "-")
	}},
}

func TestYAMLCorruptions(t *testing.T) {
	total, right := 0, 0
	for k, c := range yamlCorruptions {
		n, good := 0, 0
		for i := range 200 {
			d := &dice{stream: 9_000_000 + uint64(i)}
			var b strings.Builder
			block(&b, randomValue(d, 0), 0)
			text := b.String()
			if want := yamlValueOf(t, text); len(text) > 1500 || reflect.TypeOf(want) == reflect.TypeOf(errors.New("")) {
				continue
			}
			broken, ok := c.do(&dice{stream: 9_100_000 + uint64(k)<<20 + uint64(i)}, text)
			if !ok || readYAML(broken.text) == nil {
				continue // valid YAML stays, whatever it means
			}
			n++
			r, err := YAML(broken.text, Options{})
			if err == nil && reflect.DeepEqual(yamlValueOf(t, r.Text), yamlValueOf(t, broken.want)) {
				good++
				continue
			}
			t.Logf("%s\n%s---\n%s %v\n--- want\n%s", c.name, broken.text, r.Text, err, broken.want)
		}
		total += n
		right += good
		t.Logf("%-22s %4d of %4d", c.name, good, n)
		if n == 0 || good < n*95/100 {
			t.Errorf("%s: %d of %d texts came back", c.name, good, n)
		}
	}
	t.Log(fmt.Sprintf("all %d of %d, %.2f %%", right, total, 100*float64(right)/float64(total)))
}

func TestYAMLLimits(t *testing.T) {
	for text, want := range map[string]error{
		strings.Repeat("[", 100):           ErrHopeless,
		strings.Repeat("- ", 1000) + "x\n": ErrHopeless,
		strings.Repeat("a: 1\n", 64<<10):   ErrTooLong,
		" \n":                              ErrNothing,
		strings.Repeat("{a: ", 2000):       ErrTooDeep,
	} {
		if _, err := YAML(text, Options{}); !errors.Is(err, want) && !(err == nil && text[0] == '[') {
			t.Errorf("%.20q: %v, want %v", text, err, want)
		}
	}
}

// FuzzYAML: a repair never panics, gives YAML or an error, and its log is exact.
func FuzzYAML(f *testing.F) {
	for _, seed := range []string{"a: b: c\n", "```yaml\na: 'x\n```", "- a\n -b\n", "a:\n\t- x: @y\n   z: 1\n", "a: 1\na: 2\n", "x: |\n  t\n y: {{", "? a\n: *b\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 500 {
			return
		}
		r, err := YAML(text, Options{})
		if err != nil {
			return
		}
		if Apply(text, r.Changes) != r.Text {
			t.Errorf("the changes of %q do not give %q", text, r.Text)
		}
		if readYAML(r.Text) != nil && !json.Valid([]byte(r.Text)) {
			t.Errorf("%q became %q, which is not YAML", text, r.Text)
		}
		again, err := YAML(r.Text, Options{})
		if err != nil || again.Text != r.Text {
			t.Errorf("a second repair of %q gives %q (%v)", r.Text, again.Text, err)
		}
	})
}
