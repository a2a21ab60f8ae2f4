package corpus

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"path"
	"slices"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/text"
)

// Side is one of the two sides of a split.
type Side uint8

// The sides.
const (
	Train Side = iota
	Validation
)

// Method is how a split decides.
type Method string

// The methods of splitting.
const (
	// Auto is ByDirectory for at least 16 directories, else ByContent for at
	// least 50 documents, else ByTail; each counts what is not generated.
	Auto Method = ""
	// ByDirectory keeps the files of one directory on one side: directories,
	// in the order of the hashes of their paths under the root, go to
	// validation as long as they fit into the wanted share.
	ByDirectory Method = "directory"
	// ByContent sends a document to validation when the hash of its text, as a
	// fraction, is below the share. A document's side does not change when
	// others are added.
	ByContent Method = "content"
	// ByTail cuts every document in two: the last part, of the wanted share of
	// its bytes, is validation. It is for a few long documents.
	ByTail Method = "tail"
)

// SplitOptions says how a corpus is divided.
type SplitOptions struct {
	Method Method
	// Share is the wanted part of the bytes on the validation side, in (0, 1);
	// 0 is 0.05.
	Share float64
	// Seed chooses another split of the same kind.
	Seed uint64
}

// Validate reports the first option that makes no sense.
func (o SplitOptions) Validate() error {
	switch o.Method {
	case Auto, ByDirectory, ByContent, ByTail:
	default:
		return fmt.Errorf("split: method is %q: use directory, content or tail", string(o.Method))
	}
	if !(o.Share >= 0 && o.Share < 1) {
		return fmt.Errorf("split: share is %v: want a number in (0, 1)", o.Share)
	}
	return nil
}

// Sides is a split of a stream of documents.
type Sides struct {
	docs   text.Stream
	o      SplitOptions
	below  uint64                    // ByContent: hashes up to this one are validation
	dirs   map[string]bool           // ByDirectory: the validation side
	forced map[xxh3.Uint128]struct{} // texts with a copy on the training side
	counts [2]Count
}

// entry is what the plan remembers of a document.
type entry struct {
	hash      xxh3.Uint128
	dir       int32
	generated bool
	bytes     int64
}

// Split reads docs once and decides on which side each document lies. The
// decision is a function of the documents and the options. Files marked as
// generated are on the training side, and of equal texts all copies are on
// one. Planning holds 40 bytes a document.
//
// It is an error when either side stays empty.
func Split(docs text.Stream, o SplitOptions) (*Sides, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Share == 0 {
		o.Share = 0.05
	}
	s := &Sides{docs: docs, o: o, dirs: map[string]bool{}, forced: map[xxh3.Uint128]struct{}{}}
	var entries []entry
	var dirs []string
	index := map[string]int32{}
	for d, err := range docs {
		if err != nil {
			return nil, err
		}
		dir := directory(&d)
		n, ok := index[dir]
		if !ok {
			n = int32(len(dirs))
			index[dir] = n
			dirs = append(dirs, dir)
		}
		entries = append(entries, entry{s.hash(&d), n, generated(&d), int64(len(d.Text))})
	}
	s.choose(entries, len(dirs))
	switch s.o.Method {
	case ByDirectory:
		s.planDirectories(entries, dirs)
	case ByContent:
		s.planContent(entries)
	}
	s.planCopies(entries, dirs)
	return s, s.checkSides(entries, dirs)
}

// choose resolves Auto.
func (s *Sides) choose(entries []entry, dirs int) {
	if s.o.Method != Auto {
		return
	}
	written, used := 0, make([]bool, dirs)
	for _, e := range entries {
		if !e.generated {
			written++
			used[e.dir] = true
		}
	}
	places := 0
	for _, u := range used {
		if u {
			places++
		}
	}
	switch {
	case places >= 16:
		s.o.Method = ByDirectory
	case written >= 50:
		s.o.Method = ByContent
	default:
		s.o.Method = ByTail
	}
}

// planDirectories takes directories in hash order. One that would overshoot
// the wanted bytes by more than a tenth is passed over.
func (s *Sides) planDirectories(entries []entry, dirs []string) {
	type place struct {
		hash  uint64
		name  string
		bytes int64
	}
	places := make([]place, len(dirs))
	for i, d := range dirs {
		places[i] = place{hash: xxh3.HashStringSeed(d, s.o.Seed), name: d}
	}
	var total int64
	for _, e := range entries {
		total += e.bytes
		if !e.generated {
			places[e.dir].bytes += e.bytes
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.name, b.name))
	})
	want := int64(s.o.Share * float64(total))
	most := want + want/10
	var taken int64
	for _, p := range places {
		if taken >= want {
			break
		}
		if p.bytes > 0 && taken+p.bytes <= most {
			taken += p.bytes
			s.dirs[p.name] = true
		}
	}
	if taken > 0 || len(places) < 2 {
		return
	}
	// Every directory is too large: the smallest one it is.
	smallest := -1
	for i, p := range places {
		if p.bytes > 0 && (smallest < 0 || p.bytes < places[smallest].bytes) {
			smallest = i
		}
	}
	if smallest >= 0 {
		s.dirs[places[smallest].name] = true
	}
}

// planContent turns the share into a bound on hashes. In a small corpus no
// hash may lie below it; then the lowest one is taken.
func (s *Sides) planContent(entries []entry) {
	s.below = uint64(s.o.Share * 0x1p64)
	lowest := ^uint64(0)
	for _, e := range entries {
		if !e.generated {
			lowest = min(lowest, e.hash.Hi)
		}
	}
	s.below = max(s.below, lowest)
}

// planCopies finds texts that occur on both sides and gives them to training.
func (s *Sides) planCopies(entries []entry, dirs []string) {
	if s.o.Method == ByTail {
		return
	}
	side := make(map[xxh3.Uint128]Side, len(entries))
	for _, e := range entries {
		now := s.side(e.hash, dirs[e.dir], e.generated)
		before, ok := side[e.hash]
		if ok && before != now {
			s.forced[e.hash] = struct{}{}
		}
		side[e.hash] = now
	}
}

func (s *Sides) checkSides(entries []entry, dirs []string) error {
	for _, e := range entries {
		switch {
		case s.o.Method == ByTail && e.generated:
			s.counts[Train].add(int(e.bytes))
		case s.o.Method == ByTail:
			at := tailStart(int(e.bytes), s.o.Share)
			s.counts[Train].add(at)
			if int(e.bytes) > at {
				s.counts[Validation].add(int(e.bytes) - at)
			}
		default:
			s.counts[s.side(e.hash, dirs[e.dir], e.generated)].add(int(e.bytes))
		}
	}
	for side, name := range []string{"training", "validation"} {
		if s.counts[side].Bytes == 0 {
			return fmt.Errorf("split: the %s side of %d documents is empty with method %s and share %v: use another method or share, or more text",
				name, len(entries), s.o.Method, s.o.Share)
		}
	}
	return nil
}

// Method returns the method used, which Auto has chosen.
func (s *Sides) Method() Method { return s.o.Method }

// Count returns the documents and bytes of a side. Under ByTail the bytes may
// be off by the length of a character for each document.
func (s *Sides) Count(side Side) Count { return s.counts[side] }

// Documents reads one side of the split, in the order of the stream. Under
// ByTail the parts of a document share its ID, with "^" appended for the
// validation part.
func (s *Sides) Documents(side Side) text.Stream {
	return func(yield func(text.Document, error) bool) {
		for d, err := range s.docs {
			if err != nil {
				yield(d, err)
				return
			}
			if s.o.Method == ByTail {
				if !s.part(&d, side) {
					continue
				}
			} else if s.Side(d) != side {
				continue
			}
			if !yield(d, nil) {
				return
			}
		}
	}
}

// Side returns where a whole document lies. Under ByTail every document begins
// on the training side.
func (s *Sides) Side(d text.Document) Side {
	if s.o.Method == ByTail {
		return Train
	}
	return s.side(s.hash(&d), directory(&d), generated(&d))
}

func (s *Sides) side(hash xxh3.Uint128, dir string, generated bool) Side {
	if generated {
		return Train
	}
	held := s.dirs[dir]
	if s.o.Method == ByContent {
		held = hash.Hi <= s.below
	}
	if !held {
		return Train
	}
	if _, copied := s.forced[hash]; copied {
		return Train
	}
	return Validation
}

// part cuts d down to its part on the wanted side, and reports whether there
// is one.
func (s *Sides) part(d *text.Document, side Side) bool {
	if generated(d) {
		return side == Train
	}
	at := tailStart(len(d.Text), s.o.Share)
	for range utf8.UTFMax - 1 { // back to the start of a character
		if at > 0 && at < len(d.Text) && !utf8.RuneStart(d.Text[at]) {
			at--
		}
	}
	if side == Train {
		d.Text = d.Text[:at]
	} else {
		d.Text = d.Text[at:]
		d.ID += text.TailMark
	}
	d.Prompt, d.Response = "", ""
	return d.Text != ""
}

func tailStart(bytes int, share float64) int { return int(float64(bytes) * (1 - share)) }

// Fingerprint is a hash of the split's outcome: method, options and sides. A
// run that resumes compares it.
func (s *Sides) Fingerprint() (string, error) {
	h := xxh3.New128()
	var n [8]byte
	for side := range s.counts {
		for d, err := range s.Documents(Side(side)) {
			if err != nil {
				return "", err
			}
			for _, part := range []string{d.ID, d.Text} {
				binary.LittleEndian.PutUint64(n[:], uint64(len(part)))
				h.Write(n[:])
				h.WriteString(part)
			}
		}
		h.Write([]byte{0xff})
	}
	return fmt.Sprintf("%x", h.Sum128().Bytes()), nil
}

func (s *Sides) hash(d *text.Document) xxh3.Uint128 { return xxh3.HashString128Seed(d.Text, s.o.Seed) }

func directory(d *text.Document) string { return path.Dir(d.Source) }

func generated(d *text.Document) bool { return d.Meta["generated"] == "true" }
