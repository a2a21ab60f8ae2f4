package dataset

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/foundling-lm/foundling/text/chat"
)

// message is a node of a conversation tree as OpenAssistant exports them (Köpf
// et al., arXiv 2304.07327).
type message struct {
	Text    string    `json:"text"`
	Role    string    `json:"role"`
	Rank    *int      `json:"rank"` // among its siblings, 0 is the best
	Deleted bool      `json:"deleted"`
	Passed  *bool     `json:"review_result"` // null: nobody looked
	Replies []message `json:"replies"`
}

func isTree(r *Row) bool {
	if r.kind("prompt") != '{' {
		return false
	}
	root, err := object("prompt", r.values["prompt"])
	return err == nil && root.kind("replies") != 0
}

func tree(r *Row) (message, error) {
	var root message
	if err := json.Unmarshal(r.values["prompt"], &root); err != nil {
		return root, &fault{"prompt", WrongType, err.Error()}
	}
	if roleName(root.Role) != chat.RoleUser {
		return root, &fault{"prompt.role", WrongType, fmt.Sprintf("it is %q: want prompter", root.Role)}
	}
	return root, nil
}

func (m *message) turn() Turn { return Turn{Role: roleName(m.Role), Content: m.Text} }

// usable are the replies of a role that nobody deleted or refused, the best
// first; those without a rank come last.
func (m *message) usable(role string) []*message {
	var out []*message
	for i := range m.Replies {
		if c := &m.Replies[i]; !c.Deleted && (c.Passed == nil || *c.Passed) && roleName(c.Role) == role && c.Text != "" {
			out = append(out, c)
		}
	}
	rank := func(c *message) int {
		if c.Rank == nil {
			return 1 << 30
		}
		return *c.Rank
	}
	slices.SortStableFunc(out, func(a, b *message) int { return rank(a) - rank(b) })
	return out
}

// readTreePairs makes a pair of every two answers of different rank to the same
// turn, as Ouyang et al. (arXiv 2203.02155, section 3.5) of every ranking.
func readTreePairs(r *Row) ([]Record, error) {
	root, err := tree(r)
	if err != nil {
		return nil, err
	}
	var out []Record
	var walk func(m *message, before []Turn)
	walk = func(m *message, before []Turn) {
		prompt := append(before[:len(before):len(before)], m.turn())
		answers := m.usable(chat.RoleAssistant)
		for i, better := range answers {
			for _, worse := range answers[i+1:] {
				if better.Rank == nil || worse.Rank == nil || *better.Rank == *worse.Rank {
					continue
				}
				out = append(out, Record{Prompt: Text{Turns: prompt},
					Chosen: Text{Turns: []Turn{better.turn()}}, Rejected: Text{Turns: []Turn{worse.turn()}}})
			}
		}
		for _, a := range answers {
			said := append(prompt[:len(prompt):len(prompt)], a.turn())
			for _, next := range a.usable(chat.RoleUser) {
				walk(next, said)
			}
		}
	}
	walk(&root, nil)
	if out == nil {
		return nil, &fault{"prompt", NoVerdict, "the tree has no two answers of different rank to one turn"}
	}
	return out, nil
}

// readTreeThread makes one conversation of a tree: the best reply at every turn,
// up to the assistant's last.
func readTreeThread(r *Row) ([]Record, error) {
	root, err := tree(r)
	if err != nil {
		return nil, err
	}
	turns := []Turn{root.turn()}
	for m, role := &root, chat.RoleAssistant; ; {
		replies := m.usable(role)
		if len(replies) == 0 {
			break
		}
		m = replies[0]
		turns = append(turns, m.turn())
		if role = chat.RoleUser; turns[len(turns)-1].Role == role {
			role = chat.RoleAssistant
		}
	}
	if turns[len(turns)-1].Role == chat.RoleUser {
		turns = turns[:len(turns)-1]
	}
	return []Record{{Messages: turns}}, nil
}
