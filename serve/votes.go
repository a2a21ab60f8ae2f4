package serve

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/foundling-lm/foundling/serve/store"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// voteRequest is the body of POST /v1/votes: of two answers to a conversation, or a text
// to go on with, which is better.
type voteRequest struct {
	Model     string         `json:"model"` // that wrote the answers; it need not be served
	Messages  []message      `json:"messages"`
	Prompt    *string        `json:"prompt"`
	Chosen    *string        `json:"chosen"`
	Rejected  *string        `json:"rejected"`
	Tie       bool           `json:"tie"`       // neither is better
	Selectors jsontext.Value `json:"selectors"` // what ways to choose among texts made of them
}

// Limits of what a vote may hold besides its texts, and of a page of votes.
const (
	maxSelectors = 16 << 10
	maxVotes     = 1000
)

// voteInfo is a vote as answers show it.
type voteInfo struct {
	ID        string         `json:"id"`
	Object    string         `json:"object"`
	Created   int64          `json:"created"`
	Model     string         `json:"model"`
	Messages  []chat.Message `json:"messages,omitempty"`
	Prompt    *string        `json:"prompt,omitempty"`
	Chosen    string         `json:"chosen"`
	Rejected  string         `json:"rejected"`
	Tie       bool           `json:"tie"`
	Selectors any            `json:"selectors,omitempty"`
}

func newVoteInfo(v *store.Vote) voteInfo {
	i := voteInfo{ID: v.ID, Object: "vote", Created: v.Made.Unix(), Model: v.Model, Messages: v.Prompt.Turns, Chosen: v.Chosen.String(), Rejected: v.Rejected.String(), Tie: v.Tie}
	if v.Prompt.Turns == nil {
		i.Prompt = &v.Prompt.Plain
	}
	if v.Selectors != nil {
		i.Selectors = v.Selectors
	}
	return i
}

// vote is the request as it is kept.
func (q *voteRequest) vote(maxMessages int) (*store.Vote, error) {
	for _, f := range []struct {
		name string
		text *string
	}{{"chosen", q.Chosen}, {"rejected", q.Rejected}} {
		if f.text == nil || *f.text == "" {
			return nil, wrong(f.name, "it must be the text of an answer")
		}
	}
	v := &store.Vote{Model: q.Model, Tie: q.Tie}
	answer := func(text string) dataset.Text { return dataset.Text{Plain: text} }
	switch {
	case q.Prompt != nil && q.Messages != nil:
		return nil, wrong("prompt", "there are messages too: give one of them")
	case q.Prompt != nil:
		v.Prompt.Plain = *q.Prompt
	case len(q.Messages) == 0:
		return nil, wrong("messages", "there is none")
	case len(q.Messages) > maxMessages:
		return nil, wrong("messages", fmt.Sprintf("%d of them, this server reads %d", len(q.Messages), maxMessages))
	default:
		form, _ := chat.Default().Calls()
		turns, err := conversation("messages", q.Messages, form)
		if err != nil {
			return nil, err
		}
		v.Prompt.Turns = turns
		answer = func(text string) dataset.Text {
			return dataset.Text{Turns: []dataset.Turn{{Role: chat.RoleAssistant, Content: text}}}
		}
	}
	if *q.Chosen == *q.Rejected && !q.Tie {
		return nil, wrong("rejected", "it is chosen: nothing can be learned of that")
	}
	v.Chosen, v.Rejected = answer(*q.Chosen), answer(*q.Rejected)
	if given(q.Selectors) {
		if q.Selectors.Kind() != '{' || len(q.Selectors) > maxSelectors {
			return nil, wrong("selectors", fmt.Sprintf("it must be an object of at most %d bytes", maxSelectors))
		}
		v.Selectors = bytes.Clone(q.Selectors)
	}
	return v, nil
}

// database is where the server keeps what it is to remember.
func (s *Server) database() (*store.Store, error) {
	if s.o.Store == nil {
		return nil, &Error{Status: http.StatusNotFound, Message: "this server has no database to keep that in: start it with one", Code: "no_database"}
	}
	return s.o.Store, nil
}

// full is an error of the database as the client is told it where there is no room.
func full(err error) error {
	var e *store.FullError
	if !errors.As(err, &e) {
		return err
	}
	told := &Error{Status: http.StatusConflict, Message: e.Error(), Code: e.What + "_full"}
	if e.Of == "key" {
		told.Message += fmt.Sprintf(", or have the server started with a larger --%s-per-key", e.What)
	}
	return told
}

// whose is the owner whose rows a caller sees; nil: all rows.
func whose(r *http.Request) *string {
	if c := callerOf(r.Context()); !c.Admin {
		return &c.Name
	}
	return nil
}

// vote is POST /v1/votes, and PUT /v1/votes/ID: a name of the client's own, so that a vote
// whose answer was lost can be sent again.
func (s *Server) vote(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if r.Method == http.MethodPut && !voteID.MatchString(id) {
		return wrong("id", "it must be 16 to 64 of the characters A-Z, a-z, 0-9, _ and -, drawn at random")
	}
	var q voteRequest
	if err := s.decode(w, r, &q); err != nil {
		return err
	}
	v, err := q.vote(s.o.MaxMessages)
	if err != nil {
		return err
	}
	v.ID, v.Owner = id, callerOf(r.Context()).Name
	replaced := false
	if id == "" {
		err = db.AddVote(r.Context(), v)
	} else {
		replaced, err = db.PutVote(r.Context(), v)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusConflict, Message: fmt.Sprintf("the vote %q is another key's: draw another id", id), Param: "id", Code: "vote_exists"}
	case err != nil:
		return full(err)
	}
	status := http.StatusCreated
	if replaced {
		status = http.StatusOK
	}
	writeJSON(w, status, newVoteInfo(v))
	return nil
}

// voteID is what a client may call a vote.
var voteID = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)

// listVotes is GET /v1/votes?limit=N&after=ID: the newest first.
func (s *Server) listVotes(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	limit, err := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "100"))
	if err != nil || limit < 1 || limit > maxVotes {
		return wrong("limit", fmt.Sprintf("it must be a number from 1 to %d", maxVotes))
	}
	votes, err := db.ListVotes(r.Context(), whose(r), r.URL.Query().Get("after"), limit+1)
	if errors.Is(err, store.ErrNotFound) {
		return wrong("after", "there is no vote of this id")
	} else if err != nil {
		return err
	}
	more := len(votes) > limit
	data := make([]voteInfo, min(len(votes), limit))
	for i := range data {
		data[i] = newVoteInfo(&votes[i])
	}
	writeJSON(w, http.StatusOK, map[string]any{"object": "list", "data": data, "has_more": more})
	return nil
}

// deleteVote is DELETE /v1/votes/ID.
func (s *Server) deleteVote(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	switch err := db.DeleteVote(r.Context(), id, whose(r)); {
	case errors.Is(err, store.ErrNotFound):
		return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("there is no vote %q", id), Param: "id", Code: "not_found"}
	case err != nil:
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"id": id, "object": "vote.deleted", "deleted": true})
	return nil
}

// exportVotes is GET /v1/votes/export: JSON Lines of preferences, the oldest first, as
// foundling dpo reads them. Ties are left out.
func (s *Server) exportVotes(w *reply, r *http.Request) error {
	db, err := s.database()
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/jsonl")
	h.Set("Content-Disposition", `attachment; filename="votes.jsonl"`)
	var line []byte
	for v, err := range db.Votes(r.Context(), whose(r)) {
		if err != nil {
			if w.status != 0 {
				w.Write(marshal(asError(err, false).body())) // a line that is no vote: the file is not whole
			}
			return err
		}
		record, ok := v.Record()
		if !ok {
			continue
		}
		if line, err = record.AppendRow(line[:0]); err != nil {
			return err
		}
		if _, err = w.Write(line); err != nil {
			return err
		}
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return nil
}
