package tokenizer

import "testing"

func TestFindSpecial(t *testing.T) {
	data := edited(t, func(file, model object) {
		file["added_tokens"] = []any{
			object{"id": 1000, "content": "<a>", "special": true},
			object{"id": 1001, "content": "<a>b", "special": true, "rstrip": true},
			object{"id": 1002, "content": "<t>", "special": false},
			object{"id": 1003, "content": "<l>", "special": true, "lstrip": true},
		}
	})
	tok, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	type found struct {
		from, to int
		token    string
	}
	for _, c := range []struct {
		text string
		want []found
	}{
		{"x", nil},
		{"x<a>y<a>", []found{{1, 4, "<a>"}, {5, 8, "<a>"}}},
		{"<a>b \n<a>", []found{{0, 6, "<a>b"}, {6, 9, "<a>"}}},
		{"<t><a>", []found{{3, 6, "<a>"}}},
		{"x \n<l> y", []found{{1, 6, "<l>"}}},
	} {
		var got []found
		for start := 0; ; {
			from, to, token, ok := tok.FindSpecial(c.text, start)
			if !ok {
				break
			}
			got = append(got, found{from, to, token})
			start = to
		}
		if len(got) != len(c.want) {
			t.Errorf("%q: got %v, want %v", c.text, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%q: got %v, want %v", c.text, got, c.want)
			}
		}
	}
}
