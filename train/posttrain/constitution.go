package posttrain

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

//go:embed constitution.txt
var defaultConstitution string

// Constitution is the principles that a judge compares answers by (Bai et al. 2022,
// arXiv 2212.08073, section 4.1): every comparison goes by one of them.
type Constitution struct {
	Principles []string
}

// DefaultConstitution is one of general good conduct.
func DefaultConstitution() *Constitution {
	c, err := ParseConstitution(defaultConstitution)
	if err != nil {
		panic("posttrain: " + err.Error())
	}
	return c
}

// ParseConstitution reads a principle from every line that is neither blank nor
// begins with #.
func ParseConstitution(text string) (*Constitution, error) {
	c := &Constitution{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			c.Principles = append(c.Principles, strings.ToValidUTF8(line, "\uFFFD"))
		}
	}
	if c.Principles == nil {
		return nil, errors.New("the constitution has no principle: write one a line")
	}
	return c, nil
}

// principle is the one for comparison i.
func (c *Constitution) principle(seed uint64, i int) string {
	return c.Principles[rng.Intn(seed, rng.Stream("principles"), uint64(i), len(c.Principles))]
}

// question asks for the better of two answers, in words that every judge is given
// alike.
func question(principle string, prompt, a, b dataset.Text) []chat.Message {
	var s strings.Builder
	s.WriteString("Two answers to the same prompt are to be compared.\n\n")
	turns := prompt.Conversation(chat.RoleUser)
	if len(turns) == 1 && turns[0].Role == chat.RoleUser {
		fmt.Fprintf(&s, "Prompt:\n%s\n\n", turns[0].Content)
	} else if len(turns) > 0 {
		s.WriteString("Conversation:\n")
		for _, m := range turns {
			fmt.Fprintf(&s, "%s: %s\n", m.Role, m.Content)
		}
		s.WriteString("\n")
	}
	fmt.Fprintf(&s, "Answer A:\n%s\n\nAnswer B:\n%s\n\n", a.String(), b.String())
	fmt.Fprintf(&s, "Principle: %s\n\nWhich answer is better by this principle? Reply with one letter, A or B.", principle)
	return []chat.Message{{Role: chat.RoleUser, Content: s.String()}}
}
