package main

import (
	"testing"

	"github.com/foundling-lm/foundling"
	"github.com/foundling-lm/foundling/bundle"
	"github.com/foundling-lm/foundling/generate"
	"github.com/foundling-lm/foundling/generate/sample"
)

// TestLogProbsAgree checks that a token has one log-probability, alone and among the
// most probable.
func TestLogProbsAgree(t *testing.T) {
	m := &foundling.Model{Bundle: &bundle.Bundle{}}
	d := &generate.Detail{Top: []sample.Token{{ID: 7, LogProb: -0.5}, {ID: 3, LogProb: -1.5}}}
	got := newLogProbs(m, []int32{3, 9}, []float64{-1.5000001, -4}, []*generate.Detail{d, d})
	if *got[0].LogProb != -1.5 || *got[0].LogProb != *got[0].Top[1].LogProb {
		t.Errorf("id 3 has log-probability %v, among the first %v", *got[0].LogProb, *got[0].Top[1].LogProb)
	}
	if *got[1].LogProb != -4 {
		t.Errorf("id 9, not among the first, has log-probability %v", *got[1].LogProb)
	}
}
