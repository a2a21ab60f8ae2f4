package report

// Tokens is a text token by token, some of them marked.
type Tokens struct {
	Title  string
	Badges []Badge
	List   []Token
}

// Token is one token; Title is shown where the pointer rests.
type Token struct {
	Text   string
	Title  string
	Marked bool
}

func (b Tokens) view(*renderer) (string, any) { return "tokens", b }
