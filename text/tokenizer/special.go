package tokenizer

// FindSpecial finds the first special token in s from start on, at each place the
// longest. Text between from and to becomes the token: it takes in the whitespace
// that the token strips. Use it on text of a program, such as what a chat template
// writes, never on text of users.
func (t *Tokenizer) FindSpecial(s string, start int) (from, to int, token string, ok bool) {
	for {
		from, to, id, ok := t.earlyAll.next(s, start)
		if f, e, late, found := t.lateAll.next(s, start); found && (!ok || f < from) {
			from, to, id, ok = f, e, late, true
		}
		if !ok {
			return 0, 0, "", false
		}
		if token, special := t.Special(id); special {
			return from, to, token, true
		}
		start = to // Encode finds it too
	}
}
