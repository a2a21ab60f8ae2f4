package demo

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestBlocks(t *testing.T) {
	long := strings.Repeat("word ", 18) + "end."
	tests := []struct {
		name, text string
		want       []string // "H1 " and so on before headings, the line after all
	}{
		{"marked headings", "# One #\ntext\n\n### Three\nmore", []string{"H1 One:1", "text:2", "H3 Three:4", "more:5"}},
		{"underlined", "One\n===\na\nTwo\n---\nb", []string{"H1 One:1", "a\nTwo:3", "b:6"}},
		{"underlined after a blank line", "One\n===\n\nTwo\n---\nb", []string{"H1 One:1", "H2 Two:4", "b:6"}},
		{"wiki", " = Top = \n\n = = Sub = = \n\nx", []string{"H1 Top:1", "H2 Sub:3", "x:5"}},
		{"plain heading", "Chapter One\n\n" + long, []string{"H0 Chapter One:1", long + ":3"}},
		{"short next is no section", "Chapter One\n\nno", []string{"Chapter One:1", "no:3"}},
		{"sentence is no heading", "It rains.\n\n" + long, []string{"It rains.:1", long + ":3"}},
		{"list item is no heading", "- item\n\n" + long, []string{"- item:1", long + ":3"}},
		{"speaker is no heading", "ROMEO:\n\n" + long, []string{"ROMEO::1", long + ":3"}},
		{"code, tables and markup fall away", "a\n```\ncode\n```\n| t |\n<p>\nb", []string{"a:1", "b:7"}},
		{"unclosed fence", "a\n~~~\ncode", []string{"a:1"}},
		{"wrapped lines join", "one\ntwo\r\n\nthree", []string{"one\ntwo:1", "three:4"}},
		{"long lines stand alone", long + long + "\n" + long + long, []string{long + long + ":1", long + long + ":2"}},
		{"East Asian", "第一条\n\n人人生而自由,在尊严和权利上一律平等。", []string{"H0 第一条:1", "人人生而自由,在尊严和权利上一律平等。:3"}},
		{"hash without space", "#tag here", []string{"#tag here:1"}},
		{"nothing", "\n \n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, b := range blocks(tt.text) {
				s := fmt.Sprintf("%s:%d", b.text, b.line)
				if b.heading {
					s = fmt.Sprintf("H%d %s", b.level, s)
				}
				got = append(got, s)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestQuestionLike(t *testing.T) {
	tests := []struct {
		s       string
		heading bool
		want    bool
	}{
		{"Is it?", false, true},
		{"「これは何ですか？」", false, true},
		{"ما هذا؟", false, true},
		{"Τι είναι αυτό;", false, true},
		{"Τι είναι αυτό\u037e", false, true},
		{"Ի՞նչ է սա", false, false}, // the Armenian mark stands inside the word
		{"ይህ ምንድን ነው፧", false, true},
		{"What is a tensor", true, true},
		{"What is a tensor", false, false},
		{"How", true, false},
		{"A tensor", true, false},
		{"int x;", false, false},
		{"two\nlines?", false, false},
		{"", true, false},
	}
	for _, tt := range tests {
		if got := questionLike(tt.s, tt.heading); got != tt.want {
			t.Errorf("questionLike(%q, %v): got %v, want %v", tt.s, tt.heading, got, tt.want)
		}
	}
}

func TestSentences(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"english", "One. Two! Three?", []string{"One. ", "Two! ", "Three?"}},
		{"abbreviations", "Dr. Who met J. Smith, e.g. Here. Then left.", []string{"Dr. Who met J. Smith, e.g. Here. ", "Then left."}},
		{"line breaks are spaces", "One two\nthree. Four.", []string{"One two\nthree. ", "Four."}},
		{"quotation", "“Go.” He went.", []string{"“Go.” ", "He went."}},
		{"numbers", "It costs 3.50 here. Cheap.", []string{"It costs 3.50 here. ", "Cheap."}},
		{"chinese", "天是蓝的。为什么？因为光！", []string{"天是蓝的。", "为什么？", "因为光！"}},
		{"hindi", "यह है । वह है ।", []string{"यह है । ", "वह है ।"}},
		{"arabic", "ما هذا؟ هذا كتاب.", []string{"ما هذا؟ ", "هذا كتاب."}},
		{"amharic", "ሰው። ሕግ።", []string{"ሰው። ", "ሕግ።"}},
		{"armenian", "Մեկ։ Երկու։", []string{"Մեկ։ ", "Երկու։"}},
		{"burmese", "တစ်။ နှစ်။", []string{"တစ်။ ", "နှစ်။"}},
		{"none", "no end", []string{"no end"}},
		{"empty", "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := sentences(tt.text); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestGaps(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"long words that come once", "The cat watched another cat and another dog sleeping.", []string{"watched", "sleeping"}},
		{"part of another word", "Some walk while walking slowly.", []string{"while", "walking", "slowly"}},
		{"phrases of scripts without spaces", "他们赋有理性,并应相对待。", []string{"并应相对待"}},
		{"other letters need three", "Он дал ему хлеб.", []string{"дал", "ему", "хлеб"}},
		{"marks belong to words", "यह मानव अधिकारों की घोषणा", []string{"मानव", "अधिकारों", "घोषणा"}},
		{"nothing", "1 2 3.", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, g := range gaps(tt.text) {
				got = append(got, tt.text[g.from:g.to])
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDefined(t *testing.T) {
	tests := []struct {
		line, term, text string
		bold             bool
	}{
		{"Bowl: holds the dough", "Bowl", "holds the dough", false},
		{"- Bowl — holds the dough", "Bowl", "holds the dough", false},
		{"* **Bowl**: holds the dough", "Bowl", "holds the dough", true},
		{"**Bowl:** holds the dough", "Bowl", "holds the dough", true},
		{"张量：多维的数字数组,元素类型相同", "张量", "多维的数字数组,元素类型相同", false},
		{"Bowl: short", "", "", false},
		{"see http://example.org/a b c d", "", "", false},
		{"He said, loudly: come here now", "", "", false},
		{"One two three four five six: a b c", "", "", false},
		{": a b c", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		d, bold := defined(tt.line)
		if d.term != tt.term || d.text != tt.text || bold != tt.bold {
			t.Errorf("defined(%q): got %q %q %v, want %q %q %v", tt.line, d.term, d.text, bold, tt.term, tt.text, tt.bold)
		}
	}
}

func TestEnglish(t *testing.T) {
	for s, want := range map[string]bool{
		"the cat and the dog sat in front of a house": true,
		"die Katze und der Hund saßen vor dem Haus":   false,
		"le chat et le chien":                         false, "人人生而自由": false, "": false,
	} {
		if got := english(s); got != want {
			t.Errorf("english(%q): got %v, want %v", s, got, want)
		}
	}
}
