package schema

// A place says where in a keyword's value schemas stand.
type place int

const (
	noSchema place = iota
	oneSchema
	listOfSchemas
	mapOfSchemas
	schemaOrList // items before 2020-12
	mapOfMixed   // dependencies: schemas and lists of names
)

// A Keyword is one row of the table of keywords.
type Keyword struct {
	Name  string
	Since Draft  // the first draft that has it
	Until Draft  // the last draft that has it
	How   string // "enforced", "annotation" or "structure", with its exceptions
	place place
}

// exact is what is said of keywords without exceptions.
const exact = "enforced"

// keywordTable has every keyword of drafts 4 to 2020-12. A keyword that is not here is an
// annotation, as the specification has it. dependencies and definitions are no keywords
// since 2019-09, but its meta-schemas keep their meaning free for them.
var keywordTable = []Keyword{
	{"$anchor", Draft2019, Draft2020, "structure", noSchema},
	{"$comment", Draft7, Draft2020, "annotation", noSchema},
	{"$defs", Draft2019, Draft2020, "structure", mapOfSchemas},
	{"$dynamicAnchor", Draft2020, Draft2020, "structure", noSchema},
	{"$dynamicRef", Draft2020, Draft2020, exact, noSchema},
	{"$id", Draft6, Draft2020, "structure", noSchema},
	{"$recursiveAnchor", Draft2019, Draft2019, "structure", noSchema},
	{"$recursiveRef", Draft2019, Draft2019, exact, noSchema},
	{"$ref", Draft4, Draft2020, "enforced; to 7 its neighbours are annotations; other documents only from Options.Documents", noSchema},
	{"$schema", Draft4, Draft2020, "structure", noSchema},
	{"$vocabulary", Draft2019, Draft2020, "annotation", noSchema},
	{"additionalItems", Draft4, Draft2019, exact, oneSchema},
	{"additionalProperties", Draft4, Draft2020, exact, oneSchema},
	{"allOf", Draft4, Draft2020, exact, listOfSchemas},
	{"anyOf", Draft4, Draft2020, exact, listOfSchemas},
	{"const", Draft6, Draft2020, exact, noSchema},
	{"contains", Draft6, Draft2020, exact, oneSchema},
	{"contentEncoding", Draft7, Draft2020, "annotation", noSchema},
	{"contentMediaType", Draft7, Draft2020, "annotation", noSchema},
	{"contentSchema", Draft2019, Draft2020, "annotation", oneSchema},
	{"default", Draft4, Draft2020, "annotation", noSchema},
	{"definitions", Draft4, Draft2020, "structure", mapOfSchemas},
	{"dependencies", Draft4, Draft2020, exact, mapOfMixed},
	{"dependentRequired", Draft2019, Draft2020, exact, noSchema},
	{"dependentSchemas", Draft2019, Draft2020, exact, mapOfSchemas},
	{"deprecated", Draft2019, Draft2020, "annotation", noSchema},
	{"description", Draft4, Draft2020, "annotation", noSchema},
	{"else", Draft7, Draft2020, exact, oneSchema},
	{"enum", Draft4, Draft2020, exact, noSchema},
	{"examples", Draft6, Draft2020, "annotation", noSchema},
	{"exclusiveMaximum", Draft4, Draft2020, exact, noSchema},
	{"exclusiveMinimum", Draft4, Draft2020, exact, noSchema},
	{"format", Draft4, Draft2020, "enforced; formats that are not known are annotations, with a note", noSchema},
	{"id", Draft4, Draft4, "structure", noSchema},
	{"if", Draft7, Draft2020, exact, oneSchema},
	{"items", Draft4, Draft2020, exact, schemaOrList},
	{"maxContains", Draft2019, Draft2020, exact, noSchema},
	{"maxItems", Draft4, Draft2020, exact, noSchema},
	{"maxLength", Draft4, Draft2020, exact, noSchema},
	{"maxProperties", Draft4, Draft2020, exact, noSchema},
	{"maximum", Draft4, Draft2020, exact, noSchema},
	{"minContains", Draft2019, Draft2020, exact, noSchema},
	{"minItems", Draft4, Draft2020, exact, noSchema},
	{"minLength", Draft4, Draft2020, exact, noSchema},
	{"minProperties", Draft4, Draft2020, exact, noSchema},
	{"minimum", Draft4, Draft2020, exact, noSchema},
	{"multipleOf", Draft4, Draft2020, exact, noSchema},
	{"not", Draft4, Draft2020, "enforced where the complement can be written", oneSchema},
	{"oneOf", Draft4, Draft2020, "enforced where the branches are disjoint or their complements can be written", listOfSchemas},
	{"pattern", Draft4, Draft2020, "enforced but for look-behind, back-references, and look-ahead within a repetition", noSchema},
	{"patternProperties", Draft4, Draft2020, exact, mapOfSchemas},
	{"prefixItems", Draft2020, Draft2020, exact, listOfSchemas},
	{"properties", Draft4, Draft2020, exact, mapOfSchemas},
	{"propertyNames", Draft6, Draft2020, exact, oneSchema},
	{"readOnly", Draft7, Draft2020, "annotation", noSchema},
	{"required", Draft4, Draft2020, exact, noSchema},
	{"then", Draft7, Draft2020, exact, oneSchema},
	{"title", Draft4, Draft2020, "annotation", noSchema},
	{"type", Draft4, Draft2020, exact, noSchema},
	{"unevaluatedItems", Draft2019, Draft2020, "enforced, not below not", oneSchema},
	{"unevaluatedProperties", Draft2019, Draft2020, "enforced, not below not", oneSchema},
	{"uniqueItems", Draft4, Draft2020, "enforced, not below not", noSchema},
	{"writeOnly", Draft7, Draft2020, "annotation", noSchema},
}

var keywordByName = func() map[string]*Keyword {
	m := make(map[string]*Keyword, len(keywordTable))
	for i := range keywordTable {
		m[keywordTable[i].Name] = &keywordTable[i]
	}
	return m
}()

// Keywords is the table of keywords: what is enforced, and how.
func Keywords() []Keyword { return append([]Keyword(nil), keywordTable...) }

// has says whether a draft knows a keyword. The default draft knows the keywords of
// all drafts but the old name of $id and the references of 2019-09.
func (d Draft) has(k *Keyword) bool {
	if d == DraftDefault {
		return k.Until == Draft2020 || k.Name == "additionalItems"
	}
	return d >= k.Since && d <= k.Until
}
