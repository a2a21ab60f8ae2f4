package main

import (
	"context"
	"time"

	"github.com/foundling-lm/foundling/generate/sample"
	"github.com/foundling-lm/foundling/internal/rng"
)

// The rows that the sampling benches draw from: normal logits over a vocabulary of
// Llama 3's size, more of them than a processor's caches hold at once.
const (
	sampleVocab  = 128256
	sampleRows   = 12
	sampleSpread = 3 // standard deviation of the logits
)

// sampleBench is what bench sample measures: microseconds for a token on one
// thread. Masked rows allow every second id, at random.
var sampleBench = []struct {
	name   string
	o      sample.Options
	masked bool
}{
	{"argmax", sample.Options{}, false},
	{"argmax/masked", sample.Options{}, true},
	{"topk40-topp-temp", sample.Options{TopK: 40, TopP: .95, Temperature: .8}, false},
	{"topk40-topp-temp/masked", sample.Options{TopK: 40, TopP: .95, Temperature: .8}, true},
	{"penalties-dry-topk40-topp-minp-xtc-temp", sample.Options{
		RepeatPenalty: 1.1, FrequencyPenalty: .1, RepeatLastN: -1, DRYMultiplier: .8, TopK: 40, TopP: .95, MinP: .02, XTCProbability: .5, Temperature: .8,
	}, false},
	{"minp-temp", sample.Options{MinP: .05, Temperature: .8}, false},
	{"topp-temp", sample.Options{TopP: .95, Temperature: .8}, false},
	{"topp-temp/masked", sample.Options{TopP: .95, Temperature: .8}, true},
	{"typicalp-temp", sample.Options{TypicalP: .95, Temperature: .8}, false},
	{"temp", sample.Options{Temperature: .8}, false},
	{"dynatemp", sample.Options{Temperature: .8, DynatempRange: .3}, false},
	{"mirostat", sample.Options{Temperature: .8, Mirostat: 2}, false},
}

// sampleCases measure the sampling chain.
func sampleCases() []benchCase {
	var rows [][]float32 // made by the first case that needs them
	var mask []uint64
	var history []int32
	var cases []benchCase
	for _, k := range sampleBench {
		cases = append(cases, oneRow("sample/"+k.name, func(ctx context.Context, c *benchCmd) (benchRow, error) {
			if rows == nil {
				rows, mask, history = sampleData()
			}
			s, err := sample.New(k.o)
			if err != nil {
				return benchRow{}, err
			}
			at := sample.At{History: history}
			if k.masked {
				at.Mask = mask
			}
			s.Sample(rows[0], at) // its memory
			xs, err := repeat(ctx, c.each(500*time.Millisecond), func() (float64, error) {
				at.Index++
				began := time.Now()
				s.Sample(rows[at.Index%sampleRows], at)
				return float64(time.Since(began).Nanoseconds()) / 1e3, nil
			})
			if err != nil {
				return benchRow{}, err
			}
			return summary("", "us", xs), nil
		}))
	}
	return cases
}

func sampleData() (rows [][]float32, mask []uint64, history []int32) {
	for r := range uint64(sampleRows) {
		row := make([]float32, sampleVocab)
		for i := range row {
			row[i] = float32(sampleSpread * rng.Normal(1, r, uint64(i)))
		}
		rows = append(rows, row)
	}
	for i := range uint64(sampleVocab / 64) {
		mask = append(mask, rng.Uint64(2, 0, i))
	}
	for i := range uint64(1000) {
		history = append(history, int32(rng.Intn(3, 0, i, 300)))
	}
	return rows, mask, history
}
