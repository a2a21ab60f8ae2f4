package generate

import (
	"slices"
	"time"
)

// patienceTime is how long a step waits for those who are still handing out the tokens
// of the last one.
const patienceTime = 3 * time.Millisecond

// delivery sees to it that tokens reach those who wait for them before the next step
// takes all processors. Whoever is late is not waited for again until it has caught up.
type delivery struct {
	owed     []*driver // those who have tokens to hand out; guarded by core.mu
	patience *time.Timer
}

// driver is a caller of drive.
type driver struct {
	busy bool // it has tokens to hand out
}

// give adds pieces to those that the driver of s has not taken yet. The lock is held.
func (e *Engine) give(s *sequence, pieces []Piece) {
	if len(pieces) == 0 {
		return
	}
	s.pieces = append(s.pieces, pieces...)
	if d := s.driver; !d.busy {
		d.busy = true
		if len(e.owed) == 0 {
			e.patience.Reset(patienceTime)
		}
		e.owed = append(e.owed, d)
	}
}

// idle says that d has handed out all that it had. The lock is held.
func (e *Engine) idle(d *driver) {
	if !d.busy {
		return
	}
	d.busy = false
	if i := slices.Index(e.owed, d); i >= 0 {
		if e.owed = slices.Delete(e.owed, i, i+1); len(e.owed) == 0 {
			e.changed.Broadcast()
		}
	}
}

// impatient ends the wait for those who are late.
func (e *Engine) impatient() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.owed)
	e.owed = e.owed[:0]
	e.changed.Broadcast()
}
