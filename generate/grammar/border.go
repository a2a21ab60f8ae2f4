package grammar

// healTokens is how many tokens at the end of a prompt Heal takes back at most.
const healTokens = 8

// Heal takes back the last ids of a prompt that a longer token could replace. A
// prompt that ends in the middle of what the tokenizer would make one token leads
// the model astray: it has never seen the cut. The text that follows kept must begin
// with prefix, which Prefix demands. At least one id is kept; special tokens are
// never taken back.
func (v *Vocabulary) Heal(prompt []int32) (kept []int32, prefix []byte) {
	kept = prompt
	var tail []byte
	for j := len(prompt) - 1; j >= max(1, len(prompt)-healTokens); j-- {
		text := v.Text(prompt[j])
		if len(text) == 0 {
			break
		}
		tail = append(append([]byte(nil), text...), tail...)
		if i := v.all.find(tail); i >= 0 && v.all.extended(i) {
			kept, prefix = prompt[:j], tail
		}
	}
	return kept, prefix
}

// Retokenized says whether the tokenizer makes the ids of a text again, and if not,
// which is the first that differs. Special and end tokens are left out. A model has
// seen texts as the tokenizer cuts them; other ids for the same text are less likely
// and are read less well when they come back as a prompt.
func (v *Vocabulary) Retokenized(ids []int32, encode func(text []byte) []int32) (same bool, at int) {
	var text []byte
	var plain []int
	for i, id := range ids {
		if t := v.Text(id); len(t) > 0 {
			text, plain = append(text, t...), append(plain, i)
		}
	}
	want := encode(text)
	for i, p := range plain {
		if i >= len(want) || want[i] != ids[p] {
			return false, p
		}
	}
	if len(want) > len(plain) {
		return false, len(ids)
	}
	return true, len(ids)
}
