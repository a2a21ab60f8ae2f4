package posttrain

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/foundling-lm/foundling/text/dataset"
)

// Fact is a question with its answer.
type Fact struct {
	Question string   `json:"question"`
	Answer   string   `json:"answer"`
	Aliases  []string `json:"aliases,omitempty"` // other words that are right, too
	Context  string   `json:"context,omitempty"` // a text that says the answer
	Source   string   `json:"-"`                 // file:line
}

// mostFact is the bytes of a line.
const mostFact = 1 << 20

// ReadFacts reads a table of facts, a JSON object a line: question, answer, and
// perhaps context and aliases. Lines that cannot be used are counted.
func ReadFacts(path string, skips *dataset.Skips) ([]Fact, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readFacts(path, f, skips)
}

func readFacts(path string, in io.Reader, skips *dataset.Skips) (out []Fact, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostFact)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		if line == "" {
			continue
		}
		bad := func(reason dataset.Reason, field, problem string) {
			skips.Add(&dataset.RowError{File: path, Line: n, Reason: reason, Field: field, Problem: problem})
		}
		fact := Fact{Source: fmt.Sprintf("%s:%d", path, n)}
		switch err := json.Unmarshal([]byte(line), &fact); {
		case err != nil:
			bad(dataset.Malformed, "", fmt.Sprintf("%v: write a JSON object with question and answer", err))
		case strings.TrimSpace(fact.Question) == "":
			bad(dataset.Empty, "question", "there is none: give each fact a question and an answer")
		case normalAnswer(fact.Answer) == "":
			bad(dataset.Empty, "answer", "there is none: give each fact a question and an answer")
		default:
			fact.Question, fact.Answer = strings.TrimSpace(fact.Question), strings.TrimSpace(fact.Answer)
			out = append(out, fact)
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: a line of more than a megabyte: is this a table of facts, one JSON object a line?", path, n+1)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// normalAnswer is an answer without case, punctuation and articles (Rajpurkar et al.
// 2016, arXiv 1606.05250, section 6.1), words parted by single spaces.
func normalAnswer(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
	kept := words[:0]
	for _, w := range words {
		if w != "a" && w != "an" && w != "the" {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 { // nothing but articles
		return strings.Join(strings.Fields(strings.ToLower(s)), " ")
	}
	return strings.Join(kept, " ")
}

// Right says whether a reply has the answer, or one of its aliases, among its words.
func (f *Fact) Right(reply string) bool {
	said := " " + normalAnswer(reply) + " "
	for _, a := range append([]string{f.Answer}, f.Aliases...) {
		if a = normalAnswer(a); a != "" && strings.Contains(said, " "+a+" ") {
			return true
		}
	}
	return false
}
