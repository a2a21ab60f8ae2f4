package dataset

import (
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/text/chat"
)

func readMessages(r *Row) ([]Record, error) {
	name := r.first(messageColumns...)
	turns, err := turnsOf(name, r.values[name])
	if err != nil {
		return nil, err
	}
	system, err := r.str(r.first("system", "system_prompt"))
	if err != nil {
		return nil, err
	}
	if system != "" && (len(turns) == 0 || turns[0].Role != chat.RoleSystem) {
		turns = append([]Turn{{Role: chat.RoleSystem, Content: system}}, turns...)
	}
	tools, err := r.tools()
	return []Record{{Messages: turns, Tools: tools}}, err
}

func readPair(r *Row) ([]Record, error) {
	prompt, err := r.prompt()
	if err != nil {
		return nil, err
	}
	completion, err := r.completion(r.first(completionColumns...), prompt)
	if err != nil {
		return nil, err
	}
	tools, err := r.tools()
	return []Record{{Prompt: prompt, Completion: completion, Tools: tools, Task: r.task()}}, err
}

// readAlpaca reads the shape of Taori et al., Stanford Alpaca (2023): the prompt
// is the instruction and, after a blank line, the input.
func readAlpaca(r *Row) ([]Record, error) {
	prompt, err := r.prompt()
	if err != nil {
		return nil, err
	}
	completion, err := r.completion(r.first("output", "response"), prompt)
	return []Record{{Prompt: prompt, Completion: completion, Task: r.task()}}, err
}

// task is the kind of demonstration that a column names.
func (r *Row) task() string {
	for _, name := range []string{"task", "category"} {
		if r.kind(name) == '"' {
			return unquote(r.values[name])
		}
	}
	return ""
}

// readSeed reads the shape of the seeds of Wang et al., Self-Instruct, arXiv
// 2212.10560: one instruction with several inputs and outputs.
func readSeed(r *Row) ([]Record, error) {
	instruction, err := r.str("instruction")
	if err != nil {
		return nil, err
	}
	instances, err := list("instances", r.values["instances"])
	if err != nil {
		return nil, err
	}
	if len(instances) == 0 {
		return nil, &fault{"instances", Empty, "the task has no instance: add one, or remove the row"}
	}
	task := r.task()
	if yes, err := flag("", r.values["is_classification"]); err == nil && yes {
		task = "classification"
	}
	var out []Record
	for i, v := range instances {
		field := fmt.Sprintf("instances[%d]", i)
		in, err := object(field, v)
		if err != nil {
			return nil, err
		}
		in.values["instruction"] = quoted(instruction)
		records, err := readAlpaca(in)
		if err != nil {
			return nil, within(field, err)
		}
		records[0].Task = task
		out = append(out, records...)
	}
	return out, nil
}

// questionText cuts text whose last lines are a question, "Q: ...", and its
// answer, "A: ...", as WikiSQL lies in the examples of MLX. The prompt ends
// after "A:".
func questionText(s string) (prompt, answer string, ok bool) {
	s = strings.TrimRight(s, "\n")
	at := strings.LastIndex(s, "\nA: ")
	if at < 0 || strings.Contains(s[at+1:], "\n") {
		return "", "", false
	}
	question := s[strings.LastIndexByte(s[:at], '\n')+1 : at]
	if !strings.HasPrefix(question, "Q: ") {
		return "", "", false
	}
	at += len("\nA:")
	return s[:at], s[at:], true
}

func isQuestionText(r *Row) bool {
	if r.kind("text") != '"' {
		return false
	}
	_, _, ok := questionText(unquote(r.values["text"]))
	return ok
}

func readQuestionText(r *Row) ([]Record, error) {
	prompt, answer, _ := questionText(unquote(r.values["text"]))
	return []Record{{Prompt: Text{Plain: prompt}, Completion: Text{Plain: answer}}}, nil
}

func readText(r *Row) ([]Record, error) {
	s, err := r.str("text")
	return []Record{{Completion: Text{Plain: s}}}, err
}

func readPrompt(r *Row) ([]Record, error) {
	prompt, err := r.prompt()
	if err != nil {
		return nil, err
	}
	tools, err := r.tools()
	return []Record{{Prompt: prompt, Tools: tools, Task: r.task()}}, err
}
