package generate

import "math"

// share is what one Options.Key had of an engine: the rows that the model computed for
// it, prompts at once and new tokens as they come.
type share struct {
	rows   int64
	active int // sequences that wait or run
}

// shares are the counters of the virtual token counter (Sheng et al. 2024, arXiv
// 2401.00588, algorithm 2), with equal weights of prompts and new tokens: who had least
// is next. Somebody who comes back is lifted to the least of those who are there, so that
// nobody saves up.
type shares map[string]*share

// join counts a sequence of key in.
func (x shares) join(key string) *share {
	s := x[key]
	if s == nil {
		s = &share{}
		x[key] = s
	}
	if s.active == 0 {
		if least := x.least(); least < math.MaxInt64 {
			s.rows = max(s.rows, least)
		}
	}
	s.active++
	return s
}

// leave counts a sequence out. Whoever would be lifted anyway is forgotten.
func (x shares) leave(s *share) {
	s.active--
	if s.active > 0 {
		return
	}
	least := x.least()
	for key, s := range x {
		if s.active == 0 && s.rows <= least {
			delete(x, key)
		}
	}
}

// least is what the one of those who are there had that had least.
func (x shares) least() int64 {
	least := int64(math.MaxInt64)
	for _, s := range x {
		if s.active > 0 {
			least = min(least, s.rows)
		}
	}
	return least
}
