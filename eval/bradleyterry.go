package eval

import (
	"math"
	"slices"

	"github.com/foundling-lm/foundling/internal/rng"
)

// MaxElo bounds strengths: who won or lost every game against the rest has no
// maximum-likelihood strength, and is held there.
const MaxElo = 1600

// eloUnit is the points of a factor of e in the odds (Elo: 400 points, a factor of
// ten).
const eloUnit = 400 / math.Ln10

// BradleyTerry fits strengths to games by maximum likelihood (Bradley & Terry 1952,
// Biometrika 39, p. 324): A is better than B with probability
// 1/(1+10^((b-a)/400)). A draw counts as half a win of either (Rao & Kupper and
// Davidson model it apart; the strengths differ little). Strengths are in points
// of Elo above player 0. The percentile intervals are of so many bootstraps over
// groups; N is the games of a player.
func BradleyTerry(games []Game, players, draws int, seed uint64) []Interval {
	if players < 1 || draws < 1 {
		panic("eval: Bradley-Terry of no player, or without bootstraps")
	}
	groups := map[int][]Game{}
	var names []int
	out := make([]Interval, players)
	for _, g := range games {
		if groups[g.Group] == nil {
			names = append(names, g.Group)
		}
		groups[g.Group] = append(groups[g.Group], g)
		out[g.A].N++
		out[g.B].N++
	}
	slices.Sort(names)
	fit := fitStrengths(games, players)
	resampled := make([][]float64, players)
	stream := rng.Stream("eval: strengths")
	for d := range draws {
		var drawn []Game
		for i := range names {
			at := rng.Intn(seed, stream, uint64(d)*uint64(len(names))+uint64(i), len(names))
			drawn = append(drawn, groups[names[at]]...)
		}
		for p, x := range fitStrengths(drawn, players) {
			resampled[p] = append(resampled[p], x)
		}
	}
	for p := range out {
		out[p].Value = fit[p]
		slices.Sort(resampled[p])
		out[p].Low, out[p].High = resampled[p][(draws-1)*25/1000], resampled[p][draws-1-(draws-1)*25/1000]
	}
	return out
}

// fitStrengths maximises the likelihood one strength after another. In each the
// derivative, wins less expected wins, falls, so it is bisected.
func fitStrengths(games []Game, players int) []float64 {
	won, met := make([]float64, players), make([][]float64, players)
	for i := range met {
		met[i] = make([]float64, players)
	}
	for _, g := range games {
		won[g.A] += g.Score
		won[g.B] += 1 - g.Score
		met[g.A][g.B]++
		met[g.B][g.A]++
	}
	s := make([]float64, players) // natural logarithms of strengths
	const most = MaxElo / eloUnit
	for range 1000 {
		moved := 0.0
		for i := range s {
			lo, hi := -most, most
			for range 44 {
				mid := (lo + hi) / 2
				excess := won[i]
				for j, n := range met[i] {
					excess -= n / (1 + math.Exp(s[j]-mid))
				}
				switch {
				case excess > 0:
					lo = mid
				case excess < 0:
					hi = mid
				default:
					lo, hi = mid, mid
				}
			}
			moved, s[i] = max(moved, math.Abs(s[i]-(lo+hi)/2)), (lo+hi)/2
		}
		if moved < 1e-9 {
			break
		}
	}
	out := make([]float64, players)
	for i := range s {
		out[i] = min(MaxElo, max(-MaxElo, (s[i]-s[0])*eloUnit))
	}
	return out
}
