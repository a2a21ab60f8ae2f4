package chat

import (
	"slices"
	"strings"

	"github.com/foundling-lm/foundling/text/chat/jinja"
)

// Finder finds the first special token in s from start on. Text between from and
// to, which may take in whitespace around the token, becomes the token.
type Finder func(s string, start int) (from, to int, token string, ok bool)

// Specials finds these tokens, at each place the longest.
func Specials(tokens []string) Finder {
	byFirst := map[byte][]string{}
	for _, t := range tokens {
		if t != "" {
			byFirst[t[0]] = append(byFirst[t[0]], t)
		}
	}
	for _, list := range byFirst {
		slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	}
	return func(s string, start int) (from, to int, token string, ok bool) {
		for i := start; i < len(s); i++ {
			for _, t := range byFirst[s[i]] {
				if strings.HasPrefix(s[i:], t) {
					return i, i + len(t), t, true
				}
			}
		}
		return 0, 0, "", false
	}
}

var defaultSpecials = Specials(SpecialTokens())

// Render writes a conversation as segments. Special tokens are those that find
// finds (nil: those of the default format) in text of the template; whitespace
// that goes with a token is left out.
//
// Loss falls on what the template marks with generation blocks. Without them it
// falls, for each assistant message, on the text between the generation prompt
// before it and its end token: from the first byte of the message, or from the
// end of the prompt that add_generation_prompt would write where the template
// writes that before the message, up to and including the first of EOS and Ends
// that the template writes after it, or else the first special token that is no
// part of the generation prompt. A message that the template leaves out carries
// none.
func (t *Template) Render(c Conversation, find Finder) ([]Segment, error) {
	text, err := t.render(c)
	if err != nil {
		return nil, err
	}
	if find == nil {
		find = defaultSpecials
	}
	r := newRendering(text, find)
	if t.program.HasGeneration() {
		return r.segments(r.generated()), nil
	}
	return r.segments(r.answers(c, t.generationPrompt(), find)), nil
}

// span is bytes of the rendered text.
type span struct{ from, to int }

// piece is a run of the text: origin 0 is the template.
type piece struct {
	span
	origin    jinja.Origin
	generated bool
}

type specialToken struct {
	span
	token string
}

// rendering is a text with its special tokens found.
type rendering struct {
	text     string
	pieces   []piece
	specials []specialToken
}

func newRendering(text jinja.Text, find Finder) *rendering {
	r := &rendering{text: text.String()}
	at := 0
	text.Each(func(s string, m jinja.Mark) {
		r.pieces = append(r.pieces, piece{span{at, at + len(s)}, m.Origin, m.Generated})
		if m.Origin == 0 {
			for start := 0; start < len(s); {
				from, to, token, ok := find(s, start)
				if !ok {
					break
				}
				r.specials = append(r.specials, specialToken{span{at + from, at + to}, token})
				start = to
			}
		}
		at += len(s)
	})
	return r
}

// generated are the spans that the template marked.
func (r *rendering) generated() (out []span) {
	for _, p := range r.pieces {
		if !p.generated || p.from == p.to {
			continue
		}
		if n := len(out); n > 0 && out[n-1].to == p.from {
			out[n-1].to = p.to
			continue
		}
		out = append(out, p.span)
	}
	return out
}

// answers are the spans of the assistant's messages.
func (r *rendering) answers(c Conversation, prompt string, find Finder) (out []span) {
	done := map[jinja.Origin]bool{}
	for i := 0; i < len(r.pieces); i++ {
		origin := r.pieces[i].origin
		if origin == 0 || origin == elsewhere || done[origin] || c.Messages[origin-1].Role != RoleAssistant {
			continue
		}
		done[origin] = true
		last := i // the last piece of the message before another's
		for j := i + 1; j < len(r.pieces) && (r.pieces[j].origin == origin || r.pieces[j].origin == 0); j++ {
			if r.pieces[j].origin == origin {
				last = j
			}
		}
		s := span{r.start(i, prompt), r.end(last, c, prompt, find)}
		if n := len(out); n > 0 && s.from < out[n-1].to {
			s.from = out[n-1].to
		}
		if s.from < s.to {
			out = append(out, s)
		}
		i = last
	}
	return out
}

// start is where the answer begins whose first piece is i: after the generation
// prompt, if the template has written it since the last content.
func (r *rendering) start(i int, prompt string) int {
	begin := r.pieces[i].from
	from := 0
	for j := i - 1; j >= 0; j-- {
		if p := r.pieces[j]; p.origin != 0 && p.from < p.to {
			from = p.to
			break
		}
	}
	if at := strings.LastIndex(r.text[from:begin], prompt); prompt != "" && at >= 0 {
		return from + at + len(prompt)
	}
	return begin
}

// end is where the answer ends whose last piece is i: after its end token.
func (r *rendering) end(i int, c Conversation, prompt string, find Finder) int {
	after, until := r.pieces[i].to, len(r.text)
	for _, p := range r.pieces[i+1:] {
		if p.origin != 0 && p.from < p.to {
			until = p.from
			break
		}
	}
	end := -1
	for _, s := range r.specials {
		if s.from < after || s.to > until {
			continue
		}
		if s.token == c.EOS || slices.Contains(c.Ends, s.token) {
			return s.to
		}
		if end < 0 && !holds(prompt, s.token, find) {
			end = s.to
		}
	}
	return max(end, after)
}

// holds tells whether a token is one of the special tokens of s.
func holds(s, token string, find Finder) bool {
	for start := 0; start < len(s); {
		_, to, t, ok := find(s, start)
		if !ok || t == token {
			return ok
		}
		start = to
	}
	return false
}

// segments cuts the text at special tokens and where training begins and ends.
func (r *rendering) segments(train []span) []Segment {
	var out []Segment
	trained := func(at int) (yes bool, until int) {
		for _, s := range train {
			switch {
			case at < s.from:
				return false, s.from
			case at < s.to:
				return true, s.to
			}
		}
		return false, len(r.text)
	}
	plain := func(from, to int) {
		for from < to {
			yes, until := trained(from)
			until = min(until, to)
			out = append(out, Segment{Text: r.text[from:until], Train: yes})
			from = until
		}
	}
	at := 0
	for _, s := range r.specials {
		plain(at, s.from)
		yes, _ := trained(s.from)
		out = append(out, Segment{Text: s.token, Special: true, Train: yes})
		at = s.to
	}
	plain(at, len(r.text))
	return out
}
