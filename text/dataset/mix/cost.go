package mix

// Rates of people, where Costs names none.
const (
	// composing is the mean rate at which average users of computers write text
	// of their own, in words a minute (Karat, Halverson, Horn & Karat 1999, CHI,
	// Patterns of entry and correction).
	composing = 19
	// reading is the mean rate of silent reading of English non-fiction by
	// adults, in words a minute (Brysbaert 2019, JML 109).
	reading = 238
	// perPair is the time that people took to compare two answers, in minutes:
	// 36,800 s for 1,000 pairs of AlpacaEval (Li et al. 2023, table of evaluators).
	perPair = 36.8 / 60
	// perHour is the price of their hour, in US dollars: 300 for those pairs.
	perHour = 300 / (1000 * perPair / 60)
)

// Costs are what labelling costs. The zero value takes the published rates.
type Costs struct {
	PerDemonstration float64 // minutes; 0: its prompt is read at 238 and its answer written at 19 words a minute
	PerPair          float64 // minutes; 0: 36.8 seconds
	PerHour          float64 // price; 0: 29.35 US dollars
}

// Cost is the estimate, with the figures it is the product of.
type Cost struct {
	Demonstrations          int     `json:"demonstrations"`
	MinutesPerDemonstration float64 `json:"minutes_per_demonstration"` // mean
	Pairs                   int     `json:"pairs"`
	MinutesPerPair          float64 `json:"minutes_per_pair"`
	Hours                   float64 `json:"hours"`
	PricePerHour            float64 `json:"price_per_hour"`
	Price                   float64 `json:"price"`
	// Words are those that the minutes of a demonstration come from; 0 where they
	// were given.
	PromptWords int64 `json:"prompt_words,omitempty"`
	AnswerWords int64 `json:"answer_words,omitempty"`
}

func (c Costs) estimate(demonstrations, pairs int, promptWords, answerWords int64) Cost {
	e := Cost{Demonstrations: demonstrations, Pairs: pairs, MinutesPerDemonstration: c.PerDemonstration, MinutesPerPair: c.PerPair, PricePerHour: c.PerHour}
	if e.MinutesPerDemonstration == 0 && demonstrations > 0 {
		e.PromptWords, e.AnswerWords = promptWords, answerWords
		e.MinutesPerDemonstration = (float64(promptWords)/reading + float64(answerWords)/composing) / float64(demonstrations)
	}
	if e.MinutesPerPair == 0 {
		e.MinutesPerPair = perPair
	}
	if e.PricePerHour == 0 {
		e.PricePerHour = perHour
	}
	e.Hours = (float64(demonstrations)*e.MinutesPerDemonstration + float64(pairs)*e.MinutesPerPair) / 60
	e.Price = e.Hours * e.PricePerHour
	return e
}

// Reading is the rate at which the estimate lets people read, in words a minute.
func Reading() float64 { return reading }

// Composing is the rate at which it lets them write, in words a minute.
func Composing() float64 { return composing }
