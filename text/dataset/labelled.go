package dataset

import "fmt"

func readUnpaired(r *Row) ([]Record, error) {
	records, err := readPair(r)
	if err != nil {
		return nil, err
	}
	yes, err := flag("label", r.values["label"])
	records[0].Label = &yes
	return records, err
}

func readScored(r *Row) ([]Record, error) {
	records, err := readPair(r)
	if err != nil {
		return nil, err
	}
	x, err := r.number(r.first(scoreColumns...))
	records[0].Score = &x
	return records, err
}

// readClassified reads a text with the name or the number of its class.
func readClassified(r *Row) ([]Record, error) {
	s, err := r.str("text")
	if err != nil {
		return nil, err
	}
	var class string
	switch v := r.values["label"]; v.Kind() {
	case '"':
		class = unquote(v)
	case '0', 't', 'f':
		class = string(v)
	default:
		return nil, wrongType("label", v, "the name or the number of a class")
	}
	if class == "" {
		return nil, &fault{"label", Empty, "it is empty: name the class or remove the row"}
	}
	return []Record{{Prompt: Text{Plain: s}, Class: class}}, nil
}

// readStepwise reads the shape of process supervision (Lightman et al., arXiv
// 2305.20050) as TRL has it: completions are the steps of one answer, labels
// say which are right.
func readStepwise(r *Row) ([]Record, error) {
	prompt, err := r.prompt()
	if err != nil {
		return nil, err
	}
	steps, err := list("completions", r.values["completions"])
	if err != nil {
		return nil, err
	}
	labels, err := list("labels", r.values["labels"])
	if err != nil {
		return nil, err
	}
	if len(steps) != len(labels) || len(steps) == 0 {
		return nil, &fault{"labels", WrongType, fmt.Sprintf("%d labels for %d completions: want one for each", len(labels), len(steps))}
	}
	rec := Record{Prompt: prompt}
	for i := range steps {
		field := fmt.Sprintf("completions[%d]", i)
		if steps[i].Kind() != '"' {
			return nil, wrongType(field, steps[i], "a string")
		}
		right, err := flag(fmt.Sprintf("labels[%d]", i), labels[i])
		if err != nil {
			return nil, err
		}
		rec.Steps = append(rec.Steps, Step{unquote(steps[i]), right})
	}
	return []Record{rec}, nil
}
