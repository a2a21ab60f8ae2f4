package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/serve/keys"
	"github.com/foundling-lm/foundling/serve/store"
)

// memoryField is the field memory of a request: true, or an object.
type memoryField struct {
	off  bool
	User *string `json:"user"` // nil: the field user of the request
	Top  *int    `json:"top"`  // facts at most; nil: 5
}

// UnmarshalJSON reads a boolean or an object.
func (f *memoryField) UnmarshalJSON(data []byte) error {
	type object memoryField
	switch kind := jsontext.Value(data).Kind(); kind {
	case 't', 'f':
		f.off = kind == 'f'
		return nil
	case '{':
		return unmarshal(data, (*object)(f))
	default:
		return needed("", "true, false or an object", kind)
	}
}

// used says that a request asks for what is known of its user.
func (f *memoryField) used() bool { return f != nil && !f.off }

const (
	defaultFacts   = 5
	maxPreferences = 16
	maxUser        = 256 // bytes
	embedAtOnce    = 64  // facts that one request computes the vectors of

	// factLikeness is how alike a fact and a question that share no word must be.
	factLikeness = 0.5
)

// factInfo is a fact as answers show it.
type factInfo struct {
	ID      string     `json:"id"`
	Object  string     `json:"object"`
	Created int64      `json:"created"`
	User    string     `json:"user"`
	Kind    store.Kind `json:"kind"`
	Text    string     `json:"text"`
}

func newFactInfo(f store.Fact) factInfo {
	return factInfo{f.ID, "memory.fact", f.Made.Unix(), f.User, f.Kind, f.Text}
}

// whom is the user of a caller; field is the name of what says so.
func whom(ctx context.Context, field, user string) (store.Whose, error) {
	if len(user) > maxUser || strings.ContainsRune(user, 0) {
		return store.Whose{}, wrong(field, fmt.Sprintf("it must have at most %d bytes and no zero", maxUser))
	}
	return store.Whose{Owner: callerOf(ctx).Name, User: user}, nil
}

// addFact is POST /v1/memory.
func (s *Server) addFact(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	var q struct {
		User string     `json:"user"`
		Kind store.Kind `json:"kind"` // "": fact
		Text string     `json:"text"`
	}
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	f := store.Fact{Kind: q.Kind, Text: line(q.Text)}
	if f.Kind == "" {
		f.Kind = store.AboutUser
	}
	switch {
	case f.Kind != store.AboutUser && f.Kind != store.Preference:
		return wrong("kind", fmt.Sprintf("%q is none of %s, %s", f.Kind, store.AboutUser, store.Preference))
	case f.Text == "":
		return wrong("text", "it is empty")
	case len(f.Text) > store.MaxFact:
		return wrong("text", fmt.Sprintf("it has %d bytes, %d are kept", len(f.Text), store.MaxFact))
	}
	if f.Whose, err = whom(r.Context(), "user", q.User); err != nil {
		return err
	}
	if err := db.AddFact(r.Context(), &f); err != nil {
		return full(err)
	}
	writeJSON(w, http.StatusCreated, newFactInfo(f))
	return nil
}

// line is a text in one line, without characters that are not seen: a fact stands in a
// list and cannot pass for more than one entry of it.
func line(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// listFacts is GET /v1/memory?user=NAME.
func (s *Server) listFacts(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	of, err := whom(r.Context(), "user", r.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	facts, err := db.Facts(r.Context(), of)
	if err != nil {
		return err
	}
	data := make([]factInfo, len(facts))
	for i, f := range facts {
		data[i] = newFactInfo(f)
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data})
	return nil
}

// deleteFacts is DELETE /v1/memory?user=NAME: all about a user.
func (s *Server) deleteFacts(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	of, err := whom(r.Context(), "user", r.URL.Query().Get("user"))
	if err != nil {
		return err
	}
	n, err := db.DeleteFacts(r.Context(), of)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "memory.deleted", "deleted": n})
	return nil
}

// deleteFact is DELETE /v1/memory/ID.
func (s *Server) deleteFact(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	switch err := db.DeleteFact(r.Context(), callerOf(r.Context()).Name, id); {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no fact %q", id), Param: "id", Code: "not_found"}
	case err != nil:
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"id": id, "object": "memory.fact.deleted", "deleted": true})
	return nil
}

// known is what is known of the user of a request and may help with it: the newest
// preferences, and facts that the last message is about. To find these it takes a place.
func (s *Server) known(ctx context.Context, m *served, place *place, f *writing, messages []message) ([]store.Fact, error) {
	if !f.Memory.used() {
		return nil, nil
	}
	if !callerOf(ctx).allows(keys.Memory) {
		return nil, &Error{Status: http.StatusForbidden, Message: "memory: the API key lacks the scope memory", Param: "memory", Code: "insufficient_scope"}
	}
	db, err := s.database()
	if err != nil {
		return nil, err
	}
	field, user := "memory.user", ""
	switch {
	case f.Memory.User != nil:
		user = *f.Memory.User
	case f.User != nil:
		field, user = "user", *f.User
	}
	of, err := whom(ctx, field, user)
	if err != nil {
		return nil, err
	}
	top := defaultFacts
	if f.Memory.Top != nil {
		if top = *f.Memory.Top; top < 0 || top > 100 {
			return nil, wrong("memory.top", fmt.Sprintf("%d lies outside 0 to 100", top))
		}
	}
	facts, err := db.Facts(ctx, of)
	if err != nil || len(facts) == 0 {
		return nil, err
	}
	var question string
	if n := len(messages); n > 0 && given(messages[n-1].Content) { // calls may stand for it
		if question, err = messages[n-1].text(fmt.Sprintf("messages[%d].content", n-1)); err != nil {
			return nil, err
		}
	}
	likes := slices.DeleteFunc(slices.Clone(facts), func(f store.Fact) bool { return f.Kind != store.Preference })
	likes = likes[max(0, len(likes)-maxPreferences):]
	facts = slices.DeleteFunc(facts, func(f store.Fact) bool { return f.Kind == store.Preference })
	if len(facts) == 0 {
		return likes, nil
	}
	if err := place.hold(1); err != nil {
		return nil, err
	}
	likeness, err := s.like(ctx, db, m, question, facts)
	if err != nil {
		return nil, err
	}
	return append(likes, store.Relevant(facts, question, likeness, factLikeness, top)...), nil
}

// like is how alike the question and each fact are to the model; what it computes for
// facts is kept with them.
func (s *Server) like(ctx context.Context, db *store.Store, m *served, question string, facts []store.Fact) ([]float64, error) {
	print := m.print()
	texts := []string{question}
	var fresh []*store.Fact
	for i := range facts {
		f := &facts[i]
		if slices.Equal(f.Embedder, print[:]) {
			continue
		}
		if f.Vector = nil; len(fresh) < embedAtOnce {
			fresh, texts = append(fresh, f), append(texts, f.Text)
		}
	}
	vectors, err := m.vectors(ctx, texts)
	if err != nil {
		return nil, err
	}
	for i, f := range fresh {
		f.Vector, f.Embedder = vectors[i+1], print[:]
	}
	if len(fresh) > 0 {
		if err := db.SetVectors(ctx, fresh); err != nil {
			return nil, err
		}
	}
	likeness := make([]float64, len(facts))
	for i, f := range facts {
		if len(f.Vector) == len(vectors[0]) {
			likeness[i] = dot(f.Vector, vectors[0])
		}
	}
	return likeness, nil
}

// inWords is what is known of a user, as a model is told it.
func inWords(facts []store.Fact) string {
	var b strings.Builder
	for _, kind := range []struct {
		of   store.Kind
		head string
	}{{store.AboutUser, "What is known about the user:"}, {store.Preference, "How the user likes answers:"}} {
		head := kind.head
		for _, f := range facts {
			if f.Kind != kind.of {
				continue
			}
			if head != "" && b.Len() > 0 {
				b.WriteString(between)
			}
			b.WriteString(head + "\n- " + f.Text)
			head = ""
		}
	}
	return b.String()
}

// reminds notes the facts that the prompt has of its user.
func (j *job) reminds(asked bool, facts []store.Fact) {
	if j.reminded, j.facts = asked, facts; len(facts) == 0 {
		return
	}
	j.notes = &notes{}
	for _, f := range facts {
		j.notes.Memory = append(j.notes.Memory, newFactInfo(f))
	}
}
