package eval

import (
	"math"
	"testing"

	"github.com/foundling-lm/foundling/internal/rng"
)

// league plays games of players of the given strengths in points; a share of them
// are draws.
func league(elo []float64, groups int, draws float64, seed uint64) (games []Game) {
	n := uint64(0)
	for g := range groups {
		for a := range elo {
			for b := a + 1; b < len(elo); b++ {
				x := Game{A: a, B: b, Score: 0.5, Group: g}
				if n++; rng.Float64(seed, 1, n) >= draws {
					x.Score = 0
					if rng.Float64(seed, 2, n) < 1/(1+math.Pow(10, (elo[b]-elo[a])/400)) {
						x.Score = 1
					}
				}
				games = append(games, x)
			}
		}
	}
	return games
}

func TestBradleyTerryFindsPlantedStrengths(t *testing.T) {
	planted := []float64{0, 150, -80, 400}
	got := BradleyTerry(league(planted, 1000, 0, 7), 4, 100, 1)
	for i, x := range got {
		if math.Abs(x.Value-planted[i]) > 30 || i > 0 && (x.Low > planted[i] || x.High < planted[i] || x.High-x.Low > 80) {
			t.Errorf("player %d: planted %g, found %+v", i, planted[i], x)
		}
		if x.N != 3000 {
			t.Errorf("player %d played %d games, want 3000", i, x.N)
		}
	}
	if got[0].Value != 0 || got[0].Low != 0 || got[0].High != 0 {
		t.Errorf("the first player is the zero: %+v", got[0])
	}
	// Draws pull strengths together and keep their order.
	tied := BradleyTerry(league(planted, 500, 0.5, 7), 4, 20, 1)
	if !(tied[3].Value > tied[1].Value && tied[1].Value > 0 && tied[2].Value < 0 && tied[3].Value < got[3].Value) {
		t.Errorf("with draws: %+v", tied)
	}
}

// Two players have the strength of the odds, and where the likelihood is greatest no
// small step makes it greater.
func TestBradleyTerryIsTheMaximum(t *testing.T) {
	var games []Game
	for i := range 40 {
		games = append(games, Game{A: 0, B: 1, Score: []float64{1, 0, 0, 0.5}[i%4], Group: i})
	}
	if got, want := BradleyTerry(games, 2, 20, 1)[1].Value, 400*math.Log10(0.625/0.375); math.Abs(got-want) > 1e-4 {
		t.Errorf("strength %g, want %g", got, want)
	}
	games = league([]float64{0, 100, 50}, 60, 0.2, 3)
	s := fitStrengths(games, 3)
	likelihood := func(s []float64) (l float64) {
		for _, g := range games {
			p := 1 / (1 + math.Pow(10, (s[g.B]-s[g.A])/400))
			l += g.Score*math.Log(p) + (1-g.Score)*math.Log(1-p)
		}
		return l
	}
	best := likelihood(s)
	for i := 1; i < 3; i++ {
		for _, step := range []float64{-3, 3} {
			moved := append([]float64(nil), s...)
			if moved[i] += step; likelihood(moved) >= best {
				t.Errorf("a step of %g of player %d is no worse", step, i)
			}
		}
	}
}

func TestBradleyTerryBounds(t *testing.T) {
	var games []Game
	for i := range 20 {
		games = append(games, Game{A: 0, B: 1, Score: 0, Group: i})
	}
	if got := BradleyTerry(games, 2, 20, 1)[1]; got.Value != MaxElo || got.High != MaxElo {
		t.Errorf("who wins all games: %+v, want the bound", got)
	}
	if got := BradleyTerry(nil, 2, 20, 1); got[1].Value != 0 || got[1].N != 0 {
		t.Errorf("without games: %+v", got)
	}
}

func TestPairRates(t *testing.T) {
	games := []Game{{0, 1, 1, 0}, {0, 1, 0.5, 1}, {0, 1, 0, 2}, {0, 1, 1, 2}, {0, 1, 1, 3}}
	r := PairRates(games, 3)
	a, b := r[0][1], r[1][0]
	if a.Wins != 3 || a.Draws != 1 || a.Losses != 1 || b.Wins != 1 || b.Losses != 3 {
		t.Errorf("%+v, %+v", a, b)
	}
	if a.Rate.Value != 0.75 || a.Rate.N != 4 || math.Abs(a.Rate.Value+b.Rate.Value-1) > 1e-12 || math.Abs(a.Rate.Low+b.Rate.High-1) > 1e-12 {
		t.Errorf("rates %+v, %+v", a.Rate, b.Rate)
	}
	if w := Wilson(3, 4, Z95); w != a.Rate {
		t.Errorf("%+v, want %+v", a.Rate, w)
	}
	if r[0][2].Rate.N != 0 || !math.IsNaN(r[2][2].Rate.Value) {
		t.Errorf("who never met: %+v", r[0][2])
	}
	// The interval holds the planted rate about as often as it says.
	held, trials := 0, 400
	for k := range trials {
		x := PairRates(league([]float64{0, -100}, 50, 0, uint64(100+k)), 2)[0][1].Rate
		if p := 1 / (1 + math.Pow(10, -0.25)); x.Low <= p && p <= x.High {
			held++
		}
	}
	if held < trials*91/100 {
		t.Errorf("%d of %d intervals hold the planted rate", held, trials)
	}
}
