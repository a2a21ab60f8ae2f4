package bundle_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/tokenizer"
)

func TestTextPrompt(t *testing.T) {
	b := backend(t, "purego")
	z := save(t, b, "gpt2")
	end, _ := z.Tokenizer.SpecialID(chat.EndOfText)
	turn, _ := z.Tokenizer.SpecialID(chat.End)
	seven := int32(7)
	for _, c := range []struct {
		name string
		g    bundle.Generation
		text string
		want []int32
	}{
		{"end token of generation config", bundle.Generation{EOS: bundle.IDs{turn, end}}, "a", []int32{end, 'a'}},
		{"as bos", bundle.Generation{BOS: &end}, "a", []int32{end, 'a'}},
		{"another end token is no start", bundle.Generation{EOS: bundle.IDs{turn}}, "a", []int32{'a'}},
		{"empty text", bundle.Generation{EOS: bundle.IDs{turn, end}}, "", []int32{end}},
		{"empty text, bos", bundle.Generation{BOS: &seven, EOS: bundle.IDs{turn}}, "", []int32{7}},
		{"empty text, eos only", bundle.Generation{EOS: bundle.IDs{turn}}, "", []int32{turn}},
		{"special tokens in text stay text", bundle.Generation{}, chat.End, []int32{'<', '|', 'e', 'n', 'd', '|', '>'}},
	} {
		t.Run(c.name, func(t *testing.T) {
			z.Generation = c.g
			got, err := z.TextPrompt(c.text)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v, %v, want %v", got, err, c.want)
			}
		})
	}
	z.Generation = bundle.Generation{}
	if _, err := z.TextPrompt(""); err == nil || !strings.Contains(err.Error(), "eos_token_id") {
		t.Errorf("empty prompt without a start: error %v, want one that names eos_token_id", err)
	}
	z.Tokenizer = nil
	if _, err := z.TextPrompt("a"); err == nil || !strings.Contains(err.Error(), "no tokenizer") {
		t.Errorf("no tokenizer: error %v", err)
	}
}

func TestChatPromptDropsOldestTurns(t *testing.T) {
	b := backend(t, "purego")
	z := save(t, b, "gpt2") // context 32, one token a byte
	z.Tokenizer = tokenizer.Bytes(chat.SpecialTokens()...)
	user := func(s string) chat.Message { return chat.Message{Role: chat.RoleUser, Content: s} }
	answer := func(s string) chat.Message { return chat.Message{Role: chat.RoleAssistant, Content: s} }
	system := chat.Message{Role: chat.RoleSystem, Content: "s"}
	for _, c := range []struct {
		name    string
		msgs    []chat.Message
		room    int
		want    []chat.Message // nil: an error
		dropped int
	}{
		{"fits exactly", []chat.Message{user("1234567890")}, 19, []chat.Message{user("1234567890")}, 0},
		{"one too many", []chat.Message{user("1234567890")}, 20, nil, 0},
		{"oldest turn goes", []chat.Message{user("12345"), answer("12345"), user("abc")}, 13, []chat.Message{user("abc")}, 2},
		{"system stays", []chat.Message{system, user("12345"), answer("12345"), user("abc")}, 10, []chat.Message{system, user("abc")}, 2},
		{"only as many as needed", []chat.Message{user("1234567890"), answer("12"), user("a"), answer("b"), user("c")}, 10,
			[]chat.Message{user("a"), answer("b"), user("c")}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, dropped, err := z.ChatPrompt(c.msgs, c.room)
			if c.want == nil {
				if err == nil || !strings.Contains(err.Error(), "shorten") {
					t.Errorf("got %v, error %v, want an error", got, err)
				}
				return
			}
			segments, _ := chat.Default().Render(chat.Conversation{Messages: c.want, AddGenerationPrompt: true}, nil)
			want, _, _ := chat.Tokenize(z.Tokenizer, segments)
			if err != nil || !slices.Equal(got, want) || dropped != c.dropped {
				t.Errorf("got %v, %d dropped, %v; want %v, %d", got, dropped, err, want, c.dropped)
			}
		})
	}
	z.Chat = false
	if _, _, err := z.ChatPrompt([]chat.Message{user("a")}, 1); err == nil || !strings.Contains(err.Error(), "base model") {
		t.Errorf("base model: error %v", err)
	}
}
