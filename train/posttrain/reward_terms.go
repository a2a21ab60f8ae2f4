package posttrain

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/foundling-lm/foundling/generate/search"
)

// RewardKind opens a reward of a kind by its argument. Limit is the most tokens
// that a completion can have.
type RewardKind func(arg string, limit int) (Term, error)

// RewardKinds are the kinds that need nothing but the text:
//
//	verifier:NAME   the grade of a verifier of generate/search: go-parse, arithmetic, json
//	answer:KIND     1 where the answer (search.ParseExtractor) is that of the prompt's reference
//	match:REGEX     1 where the expression matches
//	ended           1 with an end token
//	length          tokens; a penalty with a weight below 0
//	overlong:N      0, falling to -1 over the last N tokens before the limit (DAPO)
//	repetition      share of repeated phrases (search.Repetition)
func RewardKinds() map[string]RewardKind {
	return map[string]RewardKind{
		"verifier": func(arg string, _ int) (Term, error) {
			v, err := search.NamedVerifier(arg)
			return Term{Reward: Verified(v)}, err
		},
		"answer": func(arg string, _ int) (Term, error) {
			x, err := search.ParseExtractor(arg)
			return Term{Reward: sameAnswer(x)}, err
		},
		"match": func(arg string, _ int) (Term, error) {
			re, err := regexp.Compile(arg)
			return Term{Reward: plainly(func(a *Answer) float64 { return is(re.MatchString(a.Text)) })}, err
		},
		"ended":      bare(func(a *Answer) float64 { return is(a.Complete()) }),
		"length":     bare(func(a *Answer) float64 { return float64(len(a.IDs)) + is(a.Complete()) }),
		"repetition": bare(func(a *Answer) float64 { return search.Repetition(a.Text) }),
		"overlong": func(arg string, limit int) (Term, error) {
			n, err := strconv.Atoi(arg)
			if err != nil || n < 1 || n > limit {
				return Term{}, fmt.Errorf("the last %q tokens: give 1 to %d", arg, limit)
			}
			return Term{Reward: plainly(func(a *Answer) float64 { return overlong(len(a.IDs)+int(is(a.Complete())), n, limit) })}, nil
		},
	}
}

// overlong is the soft punishment of long completions (Yu et al. 2025, DAPO, arXiv
// 2503.14476, eq. 13).
func overlong(length, n, limit int) float64 {
	return -math.Max(0, float64(length-(limit-n))/float64(n))
}

func is(x bool) float64 {
	if x {
		return 1
	}
	return 0
}

// plainly is a Reward that cannot fail.
func plainly(f func(a *Answer) float64) Reward {
	return One(func(_ context.Context, a *Answer) (float64, error) { return f(a), nil })
}

// bare is a kind without an argument.
func bare(f func(a *Answer) float64) RewardKind {
	return func(arg string, _ int) (Term, error) {
		if arg != "" {
			return Term{}, fmt.Errorf("it takes no argument, not %q", arg)
		}
		return Term{Reward: plainly(f)}, nil
	}
}

// sameAnswer compares what an extractor takes out of an answer and of the prompt's
// reference. Without a reference that has it there is nothing to compare with: the
// answer is skipped.
func sameAnswer(x search.Extractor) Reward {
	return func(_ context.Context, answers []Answer) ([]Score, error) {
		out := make([]Score, len(answers))
		for i := range answers {
			a := &answers[i]
			switch want, ok := x(a.Prompt.Reference); {
			case strings.TrimSpace(a.Prompt.Reference) == "":
				out[i].Skip = "the data have no answer to the prompt: give records with prompt and completion, or question and answer"
			case !ok:
				out[i].Skip = "the answer in the data holds none of the kind that is compared"
			default:
				got, said := x(a.Text)
				out[i].Value = is(said && got == want)
			}
		}
		return out, nil
	}
}

// termStart is where a term begins, a weight perhaps before its kind.
var termStart = regexp.MustCompile(`^\s*(?:([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*\*\s*)?([a-z]+)(?::|\s*$|\s*\+)`)

// mantissa is what a plus sign in a number comes after.
var mantissa = regexp.MustCompile(`^\s*[-+]?[0-9.]+[eE]$`)

// ParseRewards reads weighted sums of rewards, as 0.7*verifier:go-parse+0.3*ended;
// several are added up. A plus sign separates terms only where a term of a known
// kind follows, so that arguments may hold one.
func ParseRewards(specs []string, kinds map[string]RewardKind, limit int) ([]Term, error) {
	var out []Term
	for _, spec := range specs {
		terms, err := splitTerms(spec, kinds)
		if err != nil {
			return nil, err
		}
		for _, s := range terms {
			t, err := parseTerm(s, kinds, limit)
			if err != nil {
				return nil, fmt.Errorf("reward %q: %w", s, err)
			}
			for n := 2; slices.ContainsFunc(out, func(o Term) bool { return o.Name == t.Name }); n++ {
				t.Name = strings.TrimSuffix(t.Name, fmt.Sprintf("#%d", n-1)) + fmt.Sprintf("#%d", n)
			}
			out = append(out, t)
		}
	}
	return out, nil
}

func splitTerms(spec string, kinds map[string]RewardKind) (terms []string, err error) {
	begins := func(s string) bool {
		m := termStart.FindStringSubmatch(s)
		return m != nil && kinds[m[2]] != nil
	}
	if !begins(spec) {
		return nil, fmt.Errorf("reward %q: want WEIGHT*KIND:ARGUMENT, of the kinds %s", spec, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	from := 0
	for i := 1; i < len(spec); i++ {
		if spec[i] == '+' && begins(spec[i+1:]) && !mantissa.MatchString(spec[from:i]) {
			terms, from = append(terms, spec[from:i]), i+1
		}
	}
	return append(terms, spec[from:]), nil
}

func parseTerm(s string, kinds map[string]RewardKind, limit int) (Term, error) {
	m := termStart.FindStringSubmatchIndex(s)
	weight, kind := 1.0, s[m[4]:m[5]]
	if m[2] >= 0 {
		var err error
		if weight, err = strconv.ParseFloat(s[m[2]:m[3]], 64); err != nil || math.IsInf(weight, 0) {
			return Term{}, fmt.Errorf("the weight %q is no number", s[m[2]:m[3]])
		}
	}
	arg, _ := strings.CutPrefix(s[m[5]:], ":")
	arg = strings.TrimSpace(arg)
	t, err := kinds[kind](arg, limit)
	if err != nil {
		return Term{}, err
	}
	t.Weight = weight
	if t.Name == "" {
		if t.Name = kind; arg != "" {
			t.Name += ":" + arg
		}
	}
	return t, nil
}
