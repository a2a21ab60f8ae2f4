package mix

import (
	"strings"
	"unicode"

	"github.com/foundling-lm/foundling/text/dataset/near"
)

// scripts that one language, or one family of them, is written in.
var scripts = []struct {
	table    *unicode.RangeTable
	language string
}{
	{unicode.Hangul, "Korean"}, {unicode.Hiragana, "Japanese"}, {unicode.Katakana, "Japanese"}, {unicode.Han, "Chinese"},
	{unicode.Greek, "Greek"}, {unicode.Hebrew, "Hebrew"}, {unicode.Thai, "Thai"}, {unicode.Devanagari, "Hindi"},
	{unicode.Bengali, "Bengali"}, {unicode.Tamil, "Tamil"}, {unicode.Telugu, "Telugu"}, {unicode.Georgian, "Georgian"},
	{unicode.Armenian, "Armenian"}, {unicode.Ethiopic, "Amharic"}, {unicode.Myanmar, "Burmese"}, {unicode.Khmer, "Khmer"},
	{unicode.Arabic, "Arabic"}, {unicode.Cyrillic, "Cyrillic"}, {unicode.Latin, "Latin"},
}

// stopwords are frequent words that tell languages of one script apart.
var stopwords = map[string]map[string]string{
	"Latin": {
		"English":    "the and of to in is that for it with as was are this be you what not have from a i an or by at on do does how can my me your they we will if there who which should would about when where why he she his her has had were been but all some them their following",
		"German":     "der die das und ist nicht ein eine zu den mit von für auf im auch sich wie oder werden",
		"French":     "le la les et est des une un dans que pour qui pas sur au du avec ce sont plus",
		"Spanish":    "el la los las y es que en un una por con para del se su como más al tiene derecho",
		"Portuguese": "o os as e é que em um uma não com para do da se sua como mais ao dos toda",
		"Italian":    "il lo gli e è che di un una per con non del della sono come più alla nel ogni",
		"Dutch":      "de het een en van is dat niet voor met op zijn aan ook als door heeft wordt of te",
		"Swedish":    "och att det är en ett som på för av med inte den till har om eller var rätt skall",
		"Danish":     "og at det er en et som på for af med ikke den til har om eller ret skal enhver",
		"Norwegian":  "og at det er en et som på for av med ikke den til har om eller rett skal enhver",
		"Polish":     "i w na z że nie się do jest o jak ma prawo każdy lub oraz jego przez być od",
		"Czech":      "a v na že se je s do má právo každý nebo jeho být z o jako při který není",
		"Finnish":    "ja on ei se että hän jokaisella oikeus tai kuin ovat olla mutta myös sen mitä",
		"Hungarian":  "a az és hogy nem is van minden joga egy vagy meg ki kell lehet joga van",
		"Turkish":    "ve bir bu için ile da de her hakkı veya olan olarak ne gibi kadar daha vardır",
		"Romanian":   "și de la în are dreptul orice sau pe cu nu este care să din la o un pentru",
		"Indonesian": "dan yang di untuk dengan dari pada tidak ini itu setiap orang atau hak atas dalam",
		"Vietnamese": "và của có là được các trong quyền người không cho mọi hay một những với",
		"Catalan":    "el la els les i és que en un una per amb del dels té dret tota persona no o",
	},
	"Cyrillic": {
		"Russian":   "и в не на что с по как это имеет каждый право или человек из для быть его от к",
		"Ukrainian": "і в не на що з як це має кожна право або людина та для бути його від до є",
		"Bulgarian": "и в не на че с по като това има всеки право или човек от за да се е той",
		"Serbian":   "и у не на да је са као има сваки право или од за се који то би при њему",
	},
	"Arabic": {
		"Arabic":  "في من على أن إلى كل الحق لكل أو شخص هذا التي ما لا عن مع كان هو",
		"Persian": "در از به که این را با است هر حق دارد و یا برای آن نمی شود کس",
		"Urdu":    "کے کی میں ہے کا اور کو سے ہر حق یا نہیں شخص کہ پر جو اس ہیں",
	},
}

// sets are the stopwords as sets.
var sets = func() map[string]map[string]map[string]bool {
	out := map[string]map[string]map[string]bool{}
	for script, languages := range stopwords {
		out[script] = map[string]map[string]bool{}
		for language, list := range languages {
			set := map[string]bool{}
			for _, w := range strings.Fields(list) {
				set[w] = true
			}
			out[script][language] = set
		}
	}
	return out
}()

// mostRead bounds the bytes of a text that LanguageOf looks at.
const mostRead = 4000

// LanguageOf names the language of a text by its script and, where several
// languages share it, by frequent words: "English", or "unknown (Latin)" where no
// language has two of them and a lead. A text without letters has none: "".
func LanguageOf(s string) string {
	if len(s) > mostRead {
		s = strings.ToValidUTF8(s[:mostRead], "")
	}
	var counts = make([]int, len(scripts))
	letters := 0
	for _, r := range s {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		for i, script := range scripts {
			if unicode.Is(script.table, r) {
				counts[i]++
				break
			}
		}
	}
	if letters == 0 {
		return ""
	}
	most := 0
	kana := 0
	for i, n := range counts {
		if n > counts[most] {
			most = i
		}
		if scripts[i].language == "Japanese" {
			kana += n
		}
	}
	script := scripts[most].language
	switch {
	case counts[most] == 0:
		return "unknown"
	case script == "Chinese" && kana > counts[most]/20:
		return "Japanese"
	case sets[script] == nil:
		return script
	}
	return byWords(s, script)
}

// byWords compares how many of a text's words are frequent in each language.
func byWords(s, script string) string {
	best, second, name := 0, 0, ""
	words := near.Words(s)
	for language, set := range sets[script] {
		n := 0
		for _, w := range words {
			if set[w] {
				n++
			}
		}
		switch {
		case n > best:
			best, second, name = n, best, language
		case n > second:
			second = n
		}
	}
	if best < 2 && len(words) > 3 || best == second || best == 0 {
		return "unknown (" + script + ")"
	}
	return name
}
