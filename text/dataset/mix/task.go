package mix

import (
	"regexp"
	"strings"

	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
)

// Task is a kind of demonstration. The names follow the use cases of Ouyang et
// al. 2022 (arXiv 2203.02155, table 1), with translation, code and mathematics
// apart from generation.
type Task string

// The tasks.
const (
	Summarising    Task = "summarising"
	Translation    Task = "translation"
	Code           Task = "code"
	Mathematics    Task = "mathematics"
	Rewriting      Task = "rewriting"
	Classification Task = "classification"
	Extraction     Task = "extraction"
	Brainstorming  Task = "brainstorming"
	Generation     Task = "generation" // writing something new
	ClosedQuestion Task = "closed question answering"
	OpenQuestion   Task = "open question answering"
	Chat           Task = "chat" // several turns, or small talk
	Unknown        Task = "other"
)

// rule finds a task by words of the instruction.
type rule struct {
	task    Task
	pattern *regexp.Regexp
}

func words(task Task, expression string) rule {
	return rule{task, regexp.MustCompile(`(?i)` + expression)}
}

// rules are tried in their order on the first lines of an instruction; the first
// that fits decides.
var rules = []rule{
	words(Chat, `^\W*(hi|hello|hey|good (morning|evening|day)|how are you|who are you|what'?s up|what is up|thanks?|thank you|goodbye|bye|have a (nice|good) day)\b`),
	words(Translation, `\btranslat(e|ion|ing)\b|\b(in|into|to) (french|german|spanish|italian|portuguese|dutch|russian|chinese|japanese|korean|arabic|hindi|latin|greek|polish|turkish|swedish|english)\b[.:?"]*\s*$|\bhow (do|would) (you|i|we) say\b`),
	words(Summarising, `\bsummar(y|i[sz]e[ds]?|i[sz]ing|ies)\b|\btl;?dr\b|\b(shorten|condense|abridge)\b|\bmain (idea|point)s?\b|\bkey (points|takeaways)\b|\bin (one|a single|two) sentences?\b.*\b(describe|explain)\b`),
	words(Code, "```|\\b(python|javascript|java|golang|c\\+\\+|rust|sql|html|css|bash|regex(p)?|regular expression|json|yaml|latex)\\b|\\b(write|implement|create|debug|fix|complete|optimi[sz]e|refactor|explain)\\b.{0,40}\\b(code|function|program|script|algorithm|query|class|method|snippet)\\b|\\b(source code|compiler|stack trace|leetcode|select query)\\b|\\bdef \\w+\\(|\\bfunc \\w+\\("),
	words(Mathematics, `\b(calculate|compute|solve|simplify|factori[sz]e|integrate|differentiate|prove|convert)\b.{0,80}(\d|\b(equation|integral|derivative|fraction|expression|area|volume|perimeter|sum|square|root|probability|theorem)\b)|\b(square root|percentage|how many|how much|what is)\b[^?]{0,60}\d+\s*(%|[-+*/×÷^]|percent|divided|times|plus|minus)|\b(sum|product|area|perimeter|volume|average|mean|median) of\b.{0,40}\d|\bword problem\b|\b(solv|convert)ing\b.{0,60}\d|\bsolving the\b|\bconvert the (mass|temperature|angle|length|weight|volume|speed|distance|time|number|decimal|fraction|binary)\b|\bset of numbers\b|\bmath`),
	words(Classification, `\bclassif(y|ication|ied)\b|\bcategori[sz]e\b|\b(sentiment|spam|true or false|yes or no)\b|\b(is|are|does|do|was|were) (the|this|these|it|following)\b.{0,60}\b(positive|negative|toxic|offensive|fact or opinion|fact or|grammatically correct|sarcastic|formal or informal)\b|\b(determine|decide|identify|tell|judge|detect|predict|rate|evaluate) (if|whether|which (category|class|type|genre|emotion|sentiment|label))\b|\bwhich (category|class|genre|label|type)\b|\bgroup the following\b|\b(tell me|say|verify|check|find out) (if|whether)\b|\b(multiple choice|fact[- ]check)|\b(choose|select|pick) an? \w+ (for|from)\b|\bpredict the\b|\bselect the \w+ \w+ (in|from)\b|\bwhich of the following\b|\bsupports? the claim\b|\bfind out which\b|\ball the categories\b|\b(select|choose|pick) (one|the (correct|best|right|most))\b|\blabel (the|each|this)\b|\bsort .{0,40}\binto\b`),
	words(Extraction, `\bextract\b|\b(find|list|identify|name|highlight|locate|pick out|underline|point out) (all |any |every )?(the )?(\w+ ){0,3}(in|from) (the|this|these|following|a given)\b|\bidentify (the |all |any )?(\w+ ){0,2}(verb|noun|adjective|adverb|pronoun|preposition|subject|object|keyword|entit|part of speech|parts of speech|figure of speech|tense|conjunction)|\bnamed entit`),
	words(Rewriting, `\b(rewrite|rephrase|paraphrase|reword|revise|edit|proofread|restate|correct|fix|improve|simplify|transform|change|modify|convert|turn|replace|rearrange|reorder|reorgani[sz]e|unscramble|punctuate|capitali[sz]e|combine|expand|shorten|make|alter|reverse|arrange|sort|rank|scramble|split|cut|insert|delete|remove|re-word|put|take|add|substitute|adjust|swap)\b.{0,60}\b(sentence|text|paragraph|passage|phrase|word|essay|email|letter|story|statement|grammar|spelling|tone|voice|tense|formal|informal|list|following|given|case|words?|order|array|events|numbers|comments?|verb|noun|clause|speech|question)\b|\b(grammar|spelling|grammatical)\b.{0,30}\b(error|mistake|correct)|^\W*(sort|rank|arrange|reverse|re-word|scramble|rewrite|rephrase|paraphrase|edit|proofread|correct|combine|replace)\b`),
	words(Brainstorming, `\bbrainstorm|\b(suggest|recommend|propose|come up with|give( me)?|list|name|provide|generate|think of|share|offer)\b.{0,25}\b(\d+|two|three|four|five|six|seven|ten|some|several|a few|any|ideas?|ways|examples?|tips|names?|topics|reasons|suggestions|synonyms?|antonyms?|titles?|questions?|alternatives|recipes|books|movies|gifts?)\b|\b(ideas|tips|suggestions|recommendations) (for|on|about|to)\b|\bwhat (are|would be) (some|a few|good|the best)\b|^\W*(suggest|recommend)\b|\bis there anything\b|\bwhat (should|can|could) i\b`),
	words(Generation, `^\W*(please |can you |could you |try |now |i (want|need|would like) you to |help me )?(write|compose|create|draft|generate|make|produce|design|invent|construct|develop|tell( me)? an?|craft|come up with|imagine|pretend|plan|prepare|complete|continue|finish|fill|describe an?|use|reply|answer this email|come up|coming up|make up|compose)\b|\b(compose|make up|create) (them|its|an?|the|something)\b|\b(write|compose|draft) (a|an|the|me|some|two|three|\d+)\b`),
}

// question begins as questions do.
var question = regexp.MustCompile(`(?i)^\W*(who|whom|whose|what|when|where|which|why|how|is|are|was|were|do|does|did|can|could|will|would|should|may|has|have|had|name|define|explain|describe|give|state|tell me|identify|find|compare|list|determine|count|return|output|link|analy[sz]e|answer|question|select|choose|look up|mention|provide|discuss|outline|elaborate)\b`)

// lead is a clause before what is asked.
var lead = regexp.MustCompile(`(?i)^(given|using|in order to|based on|in this task|you are (given|provided with)|if|imagine)\b[^,.?]{0,120}, (and )?(you (need|should|have) to )?`)

// context are the words of a passage that a closed question is asked about.
const context = 40

// TaskOf names the task of a record by rules on its instruction, in English; the
// instruction of a conversation is its first turn. It is a rough count, not a
// judgement: other languages and unusual phrasings end up in Unknown.
func TaskOf(r dataset.Record) Task {
	turns := r.Conversation(dataset.Text{})
	if r.Kind == dataset.PlainText || r.Kind == dataset.Classified {
		return Unknown
	}
	asked := 0
	instruction := ""
	for _, m := range turns {
		if m.Role != chat.RoleUser {
			continue
		}
		if asked++; asked == 1 {
			instruction = m.Content
		}
	}
	if asked > 1 {
		return Chat
	}
	return taskOfText(instruction)
}

func taskOfText(instruction string) Task {
	head, passage := instructionOf(instruction)
	if rest := head[len(lead.FindString(head)):]; rest != "" {
		head = rest
	}
	for _, r := range rules {
		if r.pattern.MatchString(head) {
			return r.task
		}
	}
	switch asks := question.MatchString(head) || strings.Contains(head, "?") || strings.HasPrefix(head, "Q:"); {
	case asks && len(strings.Fields(passage)) >= context:
		return ClosedQuestion
	case asks:
		return OpenQuestion
	}
	return Unknown
}

// instructionOf parts what is asked from the passage that it is asked about: the
// paragraph that rules read is the first; if that is long, the last line where that is a
// question.
func instructionOf(s string) (head, passage string) {
	s = strings.TrimSpace(s)
	lines := strings.Split(s, "\n")
	if last := lines[len(lines)-1]; strings.HasPrefix(last, "A:") && len(lines) > 1 {
		lines = lines[:len(lines)-1]
	}
	last := strings.TrimSpace(lines[len(lines)-1])
	head, passage, _ = strings.Cut(s, "\n\n")
	if len(lines) > 1 && len(strings.Fields(head)) > context && (strings.HasSuffix(last, "?") || strings.HasPrefix(last, "Q:")) && len(last) < 400 {
		return last, strings.Join(lines[:len(lines)-1], "\n")
	}
	if len(head) > 600 {
		return head[:600], head[600:] + passage
	}
	return head, passage
}
