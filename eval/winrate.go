package eval

import "math"

// Game is a comparison of players A and B, by their numbers. Group is what it was
// about, such as a prompt: games of one group hang together.
type Game struct {
	A, B  int
	Score float64 // 1: A is better, 0: B, 0.5: a draw
	Group int
}

// WinRate is how often one player is better than another; a draw is half a win.
type WinRate struct {
	Wins, Draws, Losses int
	// Rate has the score interval of as many trials as there are groups: where a
	// group has one score in [0, 1] of any kind, its variance is at most that of a
	// coin, so the interval is rather too wide.
	Rate Interval
}

// PairRates is the win rate of row against column; those of the diagonal, and of
// players that never met, have N 0.
func PairRates(games []Game, players int) [][]WinRate {
	sums := make([][]map[int][2]float64, players) // score and games by group
	out := make([][]WinRate, players)
	for i := range out {
		out[i], sums[i] = make([]WinRate, players), make([]map[int][2]float64, players)
		for j := range sums[i] {
			sums[i][j] = map[int][2]float64{}
		}
	}
	add := func(a, b int, score float64, group int) {
		s, r := sums[a][b][group], &out[a][b]
		sums[a][b][group] = [2]float64{s[0] + score, s[1] + 1}
		switch {
		case score > 0.5:
			r.Wins++
		case score < 0.5:
			r.Losses++
		default:
			r.Draws++
		}
	}
	for _, g := range games {
		add(g.A, g.B, g.Score, g.Group)
		add(g.B, g.A, 1-g.Score, g.Group)
	}
	for i := range out {
		for j := range out[i] {
			var whole float64 // groups with a mean of 1, and parts of the others
			for _, s := range sums[i][j] {
				whole += s[0] / s[1]
			}
			out[i][j].Rate = wilson(math.Round(whole*1e9)/1e9, len(sums[i][j]), Z95) // the order of a map does not show
		}
	}
	return out
}
