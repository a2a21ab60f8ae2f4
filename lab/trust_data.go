package lab

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/generate/trust"
)

// TrustSet is detectors measured on real texts that people judged.
type TrustSet struct {
	Name      string     `json:"name"`
	Unit      string     `json:"unit"` // what was judged
	Source    string     `json:"source"`
	N         int        `json:"n"`
	Wrong     int        `json:"wrong"`
	LeftOut   int        `json:"left_out"` // without a judgement
	Detectors []Detector `json:"detectors"`
}

// judged is texts with figures that could tell wrong from right ones.
type judged struct {
	wrong   []bool
	figures map[string][]float64
	names   []string // of figures, in order
	leftOut int
}

// figure is a name and a value that is greater where the text is less trusted.
type figure struct {
	name     string
	distrust float64
}

func (j *judged) add(wrong bool, figures ...figure) {
	j.wrong = append(j.wrong, wrong)
	if j.figures == nil {
		j.figures = map[string][]float64{}
	}
	for _, f := range figures {
		if _, ok := j.figures[f.name]; !ok {
			j.names = append(j.names, f.name)
		}
		j.figures[f.name] = append(j.figures[f.name], f.distrust)
	}
}

// trustFiles are the sets that a folder may hold.
var trustFiles = []struct {
	path, name, unit string
	read             func(in io.Reader) (*judged, error)
}{
	{"truthfulqa_outputs/ada_outputs.csv.gz", "TruthfulQA, answers of its authors", "answer, against other right answers", readReferences},
	{"truthfulqa_outputs/ada_outputs.csv.gz", "TruthfulQA, answers of GPT-3 ada", "answer, wrong where it is nearer to a wrong one", readAda},
	{"halueval_general.jsonl.gz", "HaluEval, general", "answer of ChatGPT", readHaluEval},
	{"factool_knowledge_qa.jsonl", "FacTool, knowledge", "claim of an answer of ChatGPT", readFacTool},
	{"factscore_InstructGPT.jsonl.gz", "FActScore", "atomic fact of InstructGPT", readFActScore},
}

// trustSets reads the sets that a folder holds; it must hold one.
func trustSets(dir string) ([]TrustSet, error) {
	var out []TrustSet
	var names []string
	for _, f := range trustFiles {
		names = append(names, f.path)
		path := filepath.Join(dir, filepath.FromSlash(f.path))
		in, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		j, err := unzipped(in, f.path, f.read)
		in.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if len(j.wrong) == 0 {
			return nil, fmt.Errorf("%s: nothing in it was judged", path)
		}
		s := TrustSet{Name: f.name, Unit: f.unit, Source: f.path, N: len(j.wrong), LeftOut: j.leftOut}
		for _, w := range j.wrong {
			if w {
				s.Wrong++
			}
		}
		for _, name := range j.names {
			s.Detectors = append(s.Detectors, newDetector(name, j.figures[name], j.wrong))
		}
		out = append(out, s)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has none of %s", dir, strings.Join(slices.Compact(names), ", "))
	}
	return out, nil
}

func unzipped(in io.Reader, name string, read func(in io.Reader) (*judged, error)) (*judged, error) {
	if !strings.HasSuffix(name, ".gz") {
		return read(in)
	}
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	return read(z)
}

// eachObject decodes a JSON object a line.
func eachObject[T any](in io.Reader, use func(x *T) error) error {
	return eachLine(in, func(n int, line []byte) error {
		x := new(T)
		err := json.Unmarshal(line, x)
		if err == nil {
			err = use(x)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		return nil
	})
}

// textFigures are what one can know of a text without a model: how much of it the
// question says already, how long it is, and how many names and numbers it has.
func textFigures(text, question string) []figure {
	c := trust.Confidence{Claims: trust.Ground(text, question)}
	grounding, _ := c.Distrust(trust.LeastGrounding)
	n := len(strings.Fields(text))
	return []figure{{"grounding in the question", grounding}, {"words", float64(n)}, {"names and numbers", float64(specifics(text))}}
}

// specifics counts the words with a digit, or with a capital that begins no sentence.
func specifics(text string) (n int) {
	for _, s := range trust.Sentences(text) {
		for i, w := range strings.Fields(text[s.Start:s.End]) {
			first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(w, func(r rune) bool { return !unicode.IsLetter(r) }))
			if strings.ContainsFunc(w, unicode.IsDigit) || i > 0 && unicode.IsUpper(first) {
				n++
			}
		}
	}
	return n
}

// readHaluEval reads answers judged as a whole (Li et al. 2023, HaluEval,
// arXiv 2305.11747).
func readHaluEval(in io.Reader) (*judged, error) {
	j := new(judged)
	return j, eachObject(in, func(x *struct {
		Query         string `json:"user_query"`
		Response      string `json:"chatgpt_response"`
		Hallucination string `json:"hallucination"`
	}) error {
		if x.Hallucination != "yes" && x.Hallucination != "no" {
			return fmt.Errorf("field hallucination is %q: it must be yes or no", x.Hallucination)
		}
		j.add(x.Hallucination == "yes", textFigures(x.Response, x.Query)...)
		return nil
	})
}

// readFacTool reads claims of answers (Chern et al. 2023, FacTool, arXiv 2307.13528).
func readFacTool(in io.Reader) (*judged, error) {
	j := new(judged)
	return j, eachObject(in, func(x *struct {
		Prompt string `json:"prompt"`
		Claims []struct {
			Claim string `json:"claim"`
			Label *bool  `json:"label"`
		} `json:"claims"`
	}) error {
		for i, c := range x.Claims {
			if c.Label == nil {
				j.leftOut++
				continue
			}
			j.add(!*c.Label, append(textFigures(c.Claim, x.Prompt), figure{"place in the answer", float64(i)})...)
		}
		return nil
	})
}

// readFActScore reads atomic facts of biographies (Min et al. 2023, FActScore,
// arXiv 2305.14251);
// those that people called irrelevant are left out.
func readFActScore(in io.Reader) (*judged, error) {
	j := new(judged)
	return j, eachObject(in, func(x *struct {
		Input       string `json:"input"`
		Annotations []struct {
			Facts []struct {
				Text  string `json:"text"`
				Label string `json:"label"`
			} `json:"human-atomic-facts"`
		} `json:"annotations"`
	}) error {
		for i, a := range x.Annotations {
			for _, f := range a.Facts {
				switch f.Label {
				case "S", "NS":
					j.add(f.Label == "NS", append(textFigures(f.Text, x.Input), figure{"place in the answer", float64(i)})...)
				case "IR":
					j.leftOut++
				default:
					return fmt.Errorf("a fact's label is %q: it must be S, NS or IR", f.Label)
				}
			}
		}
		return nil
	})
}

// adaRow is a question of TruthfulQA with references and a model's answer.
type adaRow struct {
	answer         string
	logprobs       string // JSON
	correct, wrong []string
}

// adaRows reads the columns of a table by their names.
func adaRows(in io.Reader, use func(x adaRow) error) error {
	r := csv.NewReader(in)
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("the head of the table: %w", err)
	}
	at := map[string]int{}
	for _, name := range []string{"model_answer", "logprobs", "correct_answers", "incorrect_answers"} {
		if at[name] = slices.Index(head, name); at[name] < 0 {
			return fmt.Errorf("there is no column %s, but %s", name, strings.Join(head, ", "))
		}
	}
	list := func(s string) (out []string) {
		for x := range strings.SplitSeq(s, ";") {
			if x = strings.TrimSpace(x); x != "" {
				out = append(out, x)
			}
		}
		return out
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line, _ := r.FieldPos(0)
		if err := use(adaRow{row[at["model_answer"]], row[at["logprobs"]], list(row[at["correct_answers"]]), list(row[at["incorrect_answers"]])}); err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// readReferences takes right and wrong answers that people wrote and looks for each in
// the right ones but one: itself, or another in its turn, so that all are looked for
// in as many.
func readReferences(in io.Reader) (*judged, error) {
	j := new(judged)
	return j, adaRows(in, func(x adaRow) error {
		n := len(x.correct)
		if n < 2 {
			j.leftOut += n + len(x.wrong)
			return nil
		}
		one := func(text string, without int, wrong bool) {
			others := slices.Delete(slices.Clone(x.correct), without, without+1)
			c := trust.Confidence{Claims: trust.Ground(text, strings.Join(others, "\n")), SelfCheck: trust.SelfCheck(text, others, 1)}
			grounding, _ := c.Distrust(trust.LeastGrounding)
			overlap, _ := c.Distrust(trust.Inconsistency)
			words, _ := c.Distrust(trust.MeanUnusualness)
			j.add(wrong, figure{"grounding in right answers", grounding}, figure{"SelfCheck, overlap", overlap}, figure{"SelfCheck, words", words}, figure{"words", float64(len(strings.Fields(text)))})
		}
		for i, text := range x.correct {
			one(text, i, false)
		}
		for i, text := range x.wrong {
			one(text, i%n, true)
		}
		return nil
	})
}

// readAda takes a model's answers with the log-probabilities of their tokens. They are
// wrong where they are more like a wrong reference than like any right one, as the
// measures by words of Lin et al. 2021, arXiv 2109.07958, judge; those as like both are left out.
func readAda(in io.Reader) (*judged, error) {
	j := new(judged)
	return j, adaRows(in, func(x adaRow) error {
		var l struct {
			Tokens   []string  `json:"tokens"`
			LogProbs []float64 `json:"token_logprobs"`
		}
		if err := json.Unmarshal([]byte(x.logprobs), &l); err != nil {
			return fmt.Errorf("column logprobs: %w", err)
		}
		if len(l.Tokens) != len(l.LogProbs) {
			return fmt.Errorf("column logprobs: %d tokens, %d log-probabilities", len(l.Tokens), len(l.LogProbs))
		}
		if len(l.Tokens) > 2 && l.Tokens[0] == " A" && l.Tokens[1] == ":" {
			l.LogProbs = l.LogProbs[2:]
		}
		text := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(x.answer), "A:"))
		most := func(references []string) (s float64) {
			for _, r := range references {
				s = max(s, trust.Similarity(text, r))
			}
			return s
		}
		good, bad := most(x.correct), most(x.wrong)
		if good == bad || len(l.LogProbs) == 0 {
			j.leftOut++
			return nil
		}
		t := trust.OfTokens(l.LogProbs, nil)
		j.add(bad > good, figure{"mean log-probability", -t.MeanLogProb}, figure{"least log-probability", -t.MinLogProb},
			figure{"log-probability", -t.MeanLogProb * float64(t.N)}, figure{"words", float64(len(strings.Fields(text)))})
		return nil
	})
}
