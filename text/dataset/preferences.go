package dataset

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/foundling-lm/foundling/text/chat"
)

// readPreference reads chosen and rejected: answers to a prompt, or whole
// conversations, of which the common beginning is the prompt (as in TRL's
// implicit prompts), as turns, as transcripts of HH-RLHF or as plain text.
func readPreference(r *Row) ([]Record, error) {
	var rec Record
	var err error
	explicit := r.first(promptColumns...) != ""
	if explicit {
		if rec.Prompt, err = r.prompt(); err != nil {
			return nil, err
		}
	}
	if rec.Chosen, err = r.completion("chosen", rec.Prompt); err != nil {
		return nil, err
	}
	if rec.Rejected, err = r.completion("rejected", rec.Prompt); err != nil {
		return nil, err
	}
	if !explicit {
		rec.Chosen, rec.Rejected = transcript(rec.Chosen), transcript(rec.Rejected)
	}
	if (rec.Chosen.Turns == nil) != (rec.Rejected.Turns == nil) && rec.Prompt.Turns == nil {
		return nil, &fault{"rejected", WrongType, "one of chosen and rejected is a conversation and the other plain text: want both alike"}
	}
	switch {
	case rec.Chosen.Equal(rec.Rejected):
		return nil, &fault{"rejected", Identical, "chosen and rejected are the same: nothing can be learned; remove the row"}
	case whole(rec.Chosen) && whole(rec.Rejected):
		rec.splitTurns()
	case !explicit && rec.Chosen.Turns == nil:
		rec.splitPlain()
	}
	rec.Margin, err = r.margin()
	return []Record{rec}, err
}

// whole tells whether turns are a conversation from its beginning, not only an
// answer.
func whole(t Text) bool { return len(t.Turns) > 0 && t.Turns[0].Role != chat.RoleAssistant }

// splitTurns makes a prompt of the turns that both conversations begin with.
// Each answer keeps at least one turn.
func (rec *Record) splitTurns() {
	a, b := rec.Chosen.Turns, rec.Rejected.Turns
	n := 0
	for n < min(len(a), len(b))-1 && equalTurn(a[n], b[n]) {
		n++
	}
	rec.Prompt = Text{Turns: a[:n:n]}
	rec.Chosen, rec.Rejected = Text{Turns: a[n:]}, Text{Turns: b[n:]}
}

// splitPlain makes a prompt of the text that both begin with, up to the space
// before the first word that differs. (TRL cuts at the first character that
// differs, even within a word.)
func (rec *Record) splitPlain() {
	a, b := rec.Chosen.Plain, rec.Rejected.Plain
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for ; n > 0; n-- { // back to the end of a word
		c, _ := utf8.DecodeLastRuneInString(a[:n])
		if n < len(a) && unicode.IsSpace(rune(a[n])) && n < len(b) && unicode.IsSpace(rune(b[n])) && !unicode.IsSpace(c) {
			break
		}
	}
	rec.Prompt = Text{Plain: a[:n]}
	rec.Chosen, rec.Rejected = Text{Plain: a[n:]}, Text{Plain: b[n:]}
}

// transcript makes turns of a text as HH-RLHF has it (Bai et al., arXiv
// 2204.05862): "\n\nHuman: ...\n\nAssistant: ...". Any other text stays.
func transcript(t Text) Text {
	const human, assistant = "\n\nHuman:", "\n\nAssistant:"
	if !strings.HasPrefix(t.Plain, human) {
		return t
	}
	var turns []Turn
	for s := t.Plain; s != ""; {
		role := chat.RoleUser
		if rest, ok := strings.CutPrefix(s, assistant); ok {
			s, role = rest, chat.RoleAssistant
		} else {
			s = strings.TrimPrefix(s, human)
		}
		end := len(s)
		for _, mark := range []string{human, assistant} {
			if at := strings.Index(s, mark); at >= 0 {
				end = min(end, at)
			}
		}
		turns = append(turns, Turn{Role: role, Content: strings.TrimSpace(s[:end])})
		s = s[end:]
	}
	return Text{Turns: turns}
}

// margin is the column margin, or the difference of the scores of the two.
func (r *Row) margin() (*float64, error) {
	if r.kind("margin") != 0 {
		x, err := r.number("margin")
		return &x, err
	}
	for _, names := range [][2]string{{"score_chosen", "score_rejected"}, {"chosen_score", "rejected_score"}} {
		if r.kind(names[0]) == 0 || r.kind(names[1]) == 0 {
			continue
		}
		a, err := r.number(names[0])
		if err != nil {
			return nil, err
		}
		b, err := r.number(names[1])
		if err != nil {
			return nil, err
		}
		if a -= b; math.IsInf(a, 0) {
			return nil, &fault{names[0], NotANumber, "its distance from " + names[1] + " is outside the range of float64: want finite numbers"}
		}
		return &a, nil
	}
	return nil, nil
}

// readJudged reads annotations as AlpacaEval has them: the preference is 1 or 2
// for the better output, 0 or 1.5 for a draw; others (a judge's certainty
// between 1 and 2) count for the nearer.
func readJudged(r *Row) ([]Record, error) {
	var rec Record
	var err error
	if rec.Prompt, err = r.prompt(); err != nil {
		return nil, err
	}
	if r.kind("preference") == 0 {
		return nil, &fault{"preference", NoVerdict, "it is null: nobody decided"}
	}
	verdict, err := r.number("preference")
	if err != nil {
		return nil, err
	}
	if rec.Chosen, err = r.completion("output_1", rec.Prompt); err != nil {
		return nil, err
	}
	if rec.Rejected, err = r.completion("output_2", rec.Prompt); err != nil {
		return nil, err
	}
	switch {
	case verdict == 0 || verdict == 1.5:
		return nil, &fault{"preference", NoVerdict, "a draw: neither output is better"}
	case verdict < 1 || verdict > 2:
		return nil, &fault{"preference", WrongType, fmt.Sprintf("it is %v: want 1 or 2 (0: a draw)", verdict)}
	case verdict > 1.5:
		rec.Chosen, rec.Rejected = rec.Rejected, rec.Chosen
	}
	if rec.Chosen.Equal(rec.Rejected) {
		return nil, &fault{"output_2", Identical, "both outputs are the same"}
	}
	return []Record{rec}, nil
}
