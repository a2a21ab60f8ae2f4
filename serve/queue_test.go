package serve

import (
	"errors"
	"net/http"
	"testing"
)

// TestQueueLeavesRoom has one caller fill its part of the queue: the rest is for others,
// and nobody keeps a place that was given back.
func TestQueueLeavesRoom(t *testing.T) {
	q := queue{limit: 8}
	var leave []func()
	enter := func(name string, texts int, want bool) {
		t.Helper()
		l, err := q.enter(name, texts)
		if (err == nil) != want {
			t.Fatalf("%q with %d texts: %v, want room: %t", name, texts, err, want)
		}
		var e *Error
		if err != nil && (!errors.As(err, &e) || e.status() != http.StatusTooManyRequests) {
			t.Errorf("%q: %v", name, err)
		}
		if l != nil {
			leave = append(leave, l)
		}
	}
	enter("a", 4, true)
	enter("a", 3, false)
	enter("a", 2, true)
	enter("a", 1, false)
	enter("b", 2, true)
	enter("b", 1, false)
	for _, l := range leave {
		l()
	}
	if q.length() != 0 || len(q.by) != 0 {
		t.Errorf("%d places of %v are taken", q.length(), q.by)
	}
	enter("", 8, true) // nobody in particular may have them all
}

// A place grows by what is missing, keeps what it has where there is no room, and is given
// back once.
func TestPlaceGrows(t *testing.T) {
	q := queue{limit: 8}
	p, other := q.place("a"), q.place("b")
	for i, step := range []struct {
		p     *place
		texts int
		ok    bool
		held  int
	}{{p, 1, true, 1}, {p, 4, true, 4}, {p, 2, true, 4}, {other, 3, true, 7}, {p, 6, false, 7}, {p, 5, true, 8}, {other, 4, false, 8}, {other, 9, false, 8}} {
		if err := step.p.hold(step.texts); (err == nil) != step.ok || q.length() != step.held {
			t.Errorf("step %d: %v and %d places are taken, want %t and %d", i, err, q.length(), step.ok, step.held)
		}
	}
	for range 2 {
		p.leave()
	}
	if q.length() != 3 {
		t.Errorf("%d places are taken, want 3", q.length())
	}
	if other.leave(); q.length() != 0 || len(q.by) != 0 {
		t.Errorf("%d places of %v are taken", q.length(), q.by)
	}
}

// TestEras has requests overlap changes: a change waits for those that began before it,
// however early, and for no others.
func TestEras(t *testing.T) {
	var x eras
	open := func(all []<-chan struct{}) (n int) {
		for _, c := range all {
			select {
			case <-c:
			default:
				n++
			}
		}
		return n
	}
	if n := open(x.next()); n != 0 {
		t.Errorf("a change without requests waits for %d", n)
	}
	first := x.enter()
	one := x.next()
	second, third := x.enter(), x.enter()
	two := x.next()
	later := x.enter()
	for i, step := range []struct {
		leave    func()
		one, two int
	}{{third, 1, 2}, {first, 0, 1}, {second, 0, 0}, {later, 0, 0}} {
		step.leave()
		if open(one) != step.one || open(two) != step.two {
			t.Errorf("step %d: the changes wait for %d and %d, want %d and %d", i, open(one), open(two), step.one, step.two)
		}
	}
}
