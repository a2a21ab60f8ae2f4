package optim

import (
	"fmt"
	"math"
)

// Schedule is the learning rate as a function of the step.
type Schedule struct {
	Kind     string  // "wsd" (default): constant, then a linear cooldown (Hu et al. 2024, arXiv 2404.06395); "cosine" (Loshchilov & Hutter 2017); "constant"
	Peak     float64 // learning rate after warm-up
	Warmup   int     // steps of linear rise from 0
	Steps    int     // of the whole run
	Cooldown int     // last steps, in which wsd falls; 0: 3 of 10
	Final    float64 // final rate as a share of Peak
	Cuts     []Cut   `json:",omitempty"` // earlier ends that were decided on the way, in order
}

// Cut is the decision, after step At, to end the run with step Steps: from there
// the rate falls on a line from where it is to its final value.
type Cut struct {
	At    int `json:"at"`
	Steps int `json:"steps"`
}

// End is the last step of the run.
func (s Schedule) End() int {
	if n := len(s.Cuts); n > 0 {
		return s.Cuts[n-1].Steps
	}
	return s.Steps
}

// Validate names the first impossible field.
func (s Schedule) Validate() error {
	switch {
	case s.Kind != "" && s.Kind != "wsd" && s.Kind != "cosine" && s.Kind != "constant":
		return fmt.Errorf("schedule %q is unknown: wsd, cosine and constant exist", s.Kind)
	case !(s.Peak > 0 && s.Peak < 100):
		return fmt.Errorf("learning rate %g must be positive (and below 100)", s.Peak)
	case s.Steps <= 0:
		return fmt.Errorf("steps is %d: it must be positive", s.Steps)
	case s.Warmup < 0:
		return fmt.Errorf("warm-up is %d steps: it must not be negative", s.Warmup)
	case s.Cooldown < 0:
		return fmt.Errorf("cooldown is %d steps: it must not be negative", s.Cooldown)
	case !(s.Final >= 0 && s.Final <= 1):
		return fmt.Errorf("final rate is %g of the peak: it must lie in [0, 1]", s.Final)
	}
	return nil
}

// At is the learning rate of a step; steps count from 1.
func (s Schedule) At(step int) float64 {
	for i := len(s.Cuts) - 1; i >= 0; i-- {
		if c := s.Cuts[i]; step > c.At {
			before := s
			before.Cuts = s.Cuts[:i]
			from, to := before.At(c.At), s.Final*s.Peak
			return to + max(0, from-to)*float64(c.Steps-step+1)/float64(c.Steps-c.At+1)
		}
	}
	return s.planned(step)
}

// planned is the rate without cuts.
func (s Schedule) planned(step int) float64 {
	if step <= s.Warmup {
		return s.Peak * float64(step) / float64(s.Warmup)
	}
	done, rest := float64(step-s.Warmup), float64(max(1, s.Steps-s.Warmup))
	switch s.Kind {
	case "constant":
		return s.Peak
	case "cosine":
		return s.Peak * (s.Final + (1-s.Final)*0.5*(1+math.Cos(math.Pi*math.Min(1, done/rest))))
	}
	cool := s.Cooldown
	if cool == 0 {
		cool = max(1, s.Steps*3/10)
	}
	left := s.Steps - step + 1
	if left > cool {
		return s.Peak
	}
	return s.Peak * (s.Final + (1-s.Final)*float64(max(0, left))/float64(cool))
}
