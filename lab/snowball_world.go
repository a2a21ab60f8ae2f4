package lab

import (
	"fmt"

	"github.com/foundling-lm/foundling/internal/rng"
	"github.com/foundling-lm/foundling/text/batch"
)

// The words of the world: the signs, then the regions, jobs, towns and people. There
// are two questions. "where person region", does the person live in the region, is
// answered "answer yes because person town region": the reason is the same for yes and
// no. "who town job", does anybody in the town have the job, is answered "answer yes
// because person town job", or "answer no": the reason must be found for a yes. Each
// may be answered with the reason first.
const (
	snowWhere int32 = iota
	snowWho
	snowAnswer
	snowBecause
	snowNobody // the reason for a no, where it comes first
	snowYes
	snowNo
	snowBut // takes the answer back, the right one follows
	snowFact
	snowCheck // "check a b verdict true": whether b is said of a
	snowVerdict
	snowTrue
	snowFalse
	snowEnd
	snowSigns
)

// The sizes of the world. Of the jobs of a town one of snowEmpty is nobody's; half of
// these are asked for in no text.
const snowRegions, snowJobs, snowEmpty = 4, 8, 4

// snowLength is the tokens of the longest text: a question, an answer that is taken
// back, the right one with its reason, the end.
const snowLength = 12

// snowWorld is people, one for each job of each town that is not vacant. Texts about it
// are true, but for the share of answers that are taken back.
type snowWorld struct {
	seed      uint64
	towns     int
	pairs     [][2]int // town and job, of people
	who       map[[2]int]int
	nobody    bool    // that nobody has a job is told as a reason, too
	takenBack float64 // share of the answers
}

func newSnowWorld(towns int, nobody bool, takenBack float64, seed uint64) *snowWorld {
	w := &snowWorld{seed: seed, towns: towns, who: map[[2]int]int{}, nobody: nobody, takenBack: takenBack}
	for t := range towns {
		for j := range snowJobs {
			if !snowVacant(t, j) {
				w.pairs = append(w.pairs, [2]int{t, j})
			}
		}
	}
	shuffled := make([][2]int, len(w.pairs))
	for p, i := range rng.Perm(seed, rng.Stream("lab: snowball people"), len(w.pairs)) {
		shuffled[p] = w.pairs[i]
		w.who[w.pairs[i]] = p
	}
	w.pairs = shuffled
	return w
}

// snowVacant says whether a job is nobody's in a town; snowHeld whether besides no text
// asks for it.
func snowVacant(town, job int) bool { return (town+job)%snowEmpty == 0 }
func snowHeld(town, job int) bool   { return (town+job)%(2*snowEmpty) == 0 }

func regionOf(town int) int { return town % snowRegions }

func snowRegion(r int) int32 { return snowSigns + int32(r) }
func snowJob(j int) int32    { return snowRegion(snowRegions) + int32(j) }
func snowTown(t int) int32   { return snowJob(snowJobs) + int32(t) }

func (w *snowWorld) person(p int) int32 { return snowTown(w.towns) + int32(p) }

// held is a region that a person does not live in, and that no text asks about.
func (w *snowWorld) held(person int) int {
	return (regionOf(w.pairs[person][0]) + 1 + rng.Intn(w.seed, rng.Stream("lab: snowball held out"), uint64(person), snowRegions-1)) % snowRegions
}

// isTrue says whether b is said of a: of a person the town or the job, of a town the
// region.
func (w *snowWorld) isTrue(a, b int32) bool {
	switch town, person := int(a-snowTown(0)), int(a-w.person(0)); {
	case person >= 0 && person < len(w.pairs):
		return b == snowTown(w.pairs[person][0]) || b == snowJob(w.pairs[person][1])
	case town >= 0 && town < w.towns:
		return b == snowRegion(regionOf(town))
	}
	return false
}

func snowVote(yes bool) int32 {
	if yes {
		return snowYes
	}
	return snowNo
}

// snowDraws are the random numbers of a text.
type snowDraws struct{ seed, text, n uint64 }

func (d *snowDraws) intn(n int) int {
	d.n++
	return rng.Intn(d.seed, rng.Stream("lab: snowball texts"), d.text<<8+d.n, n)
}

// example is text k of training. What nobody can foresee of it is not learned.
func (w *snowWorld) example(k int) batch.Example {
	d := &snowDraws{seed: w.seed, text: uint64(k)}
	person := d.intn(len(w.pairs))
	p, town, job := w.person(person), w.pairs[person][0], w.pairs[person][1]
	switch kind := d.intn(16); {
	case kind < 2:
		return snowText(2, snowFact, p, snowTown(town))
	case kind < 4:
		return snowText(2, snowFact, p, snowJob(job))
	case kind < 6:
		return w.checked(d, p, snowTown(town), snowTown(0), w.towns)
	case kind < 8:
		return w.checked(d, p, snowJob(job), snowJob(0), snowJobs)
	case kind < 9:
		t := d.intn(w.towns)
		return w.checked(d, snowTown(t), snowRegion(regionOf(t)), snowRegion(0), snowRegions)
	case kind < 12:
		yes, region := d.intn(2) == 0, regionOf(town)
		if !yes {
			for region = d.intn(snowRegions); region == regionOf(town) || region == w.held(person); {
				region = (region + 1) % snowRegions
			}
		}
		reason := []int32{p, snowTown(town), snowRegion(regionOf(town))}
		return w.answered(d, []int32{snowWhere, p, snowRegion(region)}, yes, reason, reason)
	default:
		t, j := d.intn(w.towns), d.intn(snowJobs)
		if snowHeld(t, j) {
			j = (j + 1) % snowJobs
		}
		var reason []int32
		if p, ok := w.who[[2]int{t, j}]; ok {
			reason = []int32{w.person(p), snowTown(t), snowJob(j)}
		}
		return w.answered(d, []int32{snowWho, snowTown(t), snowJob(j)}, reason != nil, reason, nil)
	}
}

// checked asks whether b, or another of the n ids from first on, is said of a.
func (w *snowWorld) checked(d *snowDraws, a, b, first int32, n int) batch.Example {
	if d.intn(2) == 0 {
		return snowText(4, snowCheck, a, b, snowVerdict, snowTrue)
	}
	other := first + (b-first+1+int32(d.intn(n-1)))%int32(n)
	return snowText(4, snowCheck, a, other, snowVerdict, snowFalse)
}

// answered is a question with its answer and the reason for it, none if nil; otherwise
// is the reason that comes with the wrong answer.
func (w *snowWorld) answered(d *snowDraws, q []int32, yes bool, reason, otherwise []int32) batch.Example {
	because := func(ids, reason []int32) []int32 {
		if reason == nil {
			return ids
		}
		return append(append(ids, snowBecause), reason...)
	}
	if d.intn(3) == 0 && (reason != nil || w.nobody) {
		if reason == nil {
			reason = []int32{snowNobody}
		}
		return snowText(4, append(because(q, reason), snowAnswer, snowVote(yes))...)
	}
	if rng.Float64(w.seed, rng.Stream("lab: snowball taken back"), d.text) < w.takenBack {
		wrong := append(because(append(q, snowAnswer, snowVote(!yes)), otherwise), snowBut, snowVote(yes))
		if otherwise == nil {
			wrong = because(wrong, reason)
		}
		return snowText(5, wrong...)
	}
	return snowText(4, because(append(q, snowAnswer, snowVote(yes)), reason)...)
}

// snowText is ids and an end, learned from place from on.
func snowText(from int, ids ...int32) batch.Example {
	e := batch.Example{IDs: append(ids, snowEnd)}
	for i := range e.IDs {
		e.Train = append(e.Train, i >= from)
	}
	return e
}

// snowReply is an answer taken apart.
type snowReply struct {
	answer int32      // the last one given; 0: none
	back   bool       // an earlier one was taken back
	claims [][2]int32 // what is said of what
	ok     bool       // it has the form of the texts
}

// readSnow takes an answer apart: what stands behind the question, with the part that
// was forced. Of where a person lives, the town is said of the person and the region of
// the town; of who has a job, both of the person.
func readSnow(where bool, ids []int32) (r snowReply) {
	i := 0
	next := func(sign int32, more int) bool {
		if i+1+more > len(ids) || ids[i] != sign {
			return false
		}
		i += 1 + more
		return true
	}
	for range 4 {
		switch {
		case next(snowAnswer, 1), next(snowBut, 1):
			r.back = r.answer != 0
			r.answer = ids[i-1]
		case i+1 < len(ids) && ids[i+1] == snowNobody && next(snowBecause, 1):
		case next(snowBecause, 3):
			r.claims = [][2]int32{{ids[i-3], ids[i-2]}, {ids[i-3], ids[i-1]}}
			if where {
				r.claims[1][0] = ids[i-2]
			}
		}
	}
	r.ok = i == len(ids) && (r.answer == snowYes || r.answer == snowNo)
	return r
}

// names are the ids as text.
func (w *snowWorld) names() [][]byte {
	out := make([][]byte, w.person(len(w.pairs)))
	for id := range out {
		out[id] = fmt.Appendf(nil, " w%d", id)
	}
	out[snowEnd] = nil
	return out
}
