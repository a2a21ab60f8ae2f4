package repair

import "testing"

// FuzzJSON: a repair never panics, its text is JSON, its log is exact, and a
// second repair finds nothing to do.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{'a': "b`, "```json\n{a: [1,2,}\n```", `[1 2 {"x": tru`, `{"a": "x "y" z", b: None, ...}`, `\"a\"`, `{"k": "v"}, "l": 2}`,
		`f({"a": (1, 2)});`, "“a” + 'b'", `{"a":"\ud83d\ude`, `{1, 2`, `["a", b" c"]`, "\xff{", `"a" // b`, `{"a"= 0x1F}`, "{}\n[]",
		`{"key": "{\\"a\\\":1}"}`, `""""`, `{"""a""": '''b'''}`, `-`, `[{"a":1],"b":2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) { promises(t, text) })
}
