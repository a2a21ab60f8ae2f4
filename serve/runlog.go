package serve

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"slices"
)

// maxRunLine bounds a line of metrics; what follows a longer one is not read.
const maxRunLine = 1 << 20

// log reads metrics up to the first line that is cut off. Of many rows those stay that
// hold held-out figures, the last, and one of every few others.
func (x *runs) log(file string, q runQuery) (*runLog, error) {
	f, err := x.open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	l := &runLog{Updated: info.ModTime().Unix(), Every: 1, Rows: []json.RawMessage{}}
	from := int64(0)
	if q.since > 0 {
		if from, err = behind(f, info.Size(), q.since); err != nil {
			return nil, err
		}
	}
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 64<<10), maxRunLine)
	held, others := thinner{most: q.points, every: 1}, thinner{most: q.points, every: 1}
	var last *thinRow // where it was thinned away
	for n := 0; lines.Scan(); n++ {
		m, ok := readStep(lines.Bytes())
		if !ok {
			break
		}
		if l.Last = m.Step; m.Step <= q.since {
			continue
		}
		to := &others
		if m.ValLoss != nil || m.ValBPB != nil {
			to = &held
		}
		last = to.add(thinRow{n, bytes.Clone(lines.Bytes())})
	}
	rows := append(held.rows, others.rows...)
	if last != nil {
		rows = append(rows, *last)
	}
	slices.SortFunc(rows, func(a, b thinRow) int { return a.n - b.n })
	for _, r := range rows {
		l.Rows = append(l.Rows, r.line)
	}
	l.Every = others.every
	return l, nil
}

// step is what must be known of a line.
type step struct {
	Step    int      `json:"step"`
	ValLoss *float64 `json:"val_loss"`
	ValBPB  *float64 `json:"val_bpb"`
}

func readStep(line []byte) (m step, ok bool) {
	return m, json.Unmarshal(line, &m) == nil
}

// behind is a place in the file, at the beginning of a line, before which all steps are
// those up to since.
func behind(f io.ReaderAt, size int64, since int) (int64, error) {
	for block := int64(64 << 10); block < size; block *= 2 {
		tail := make([]byte, block)
		if _, err := f.ReadAt(tail, size-block); err != nil && err != io.EOF {
			return 0, err
		}
		_, rest, _ := bytes.Cut(tail, []byte("\n"))
		line, _, _ := bytes.Cut(rest, []byte("\n"))
		if m, ok := readStep(line); ok && m.Step <= since {
			return size - int64(len(rest)), nil
		}
	}
	return 0, nil
}

// thinner keeps between most and twice as many rows, evenly, however many come.
type thinner struct {
	most, every, seen int
	rows              []thinRow
}

type thinRow struct {
	n    int // of all
	line json.RawMessage
}

// add returns the row if it is not kept.
func (t *thinner) add(r thinRow) *thinRow {
	t.seen++
	if (t.seen-1)%t.every != 0 {
		return &r
	}
	if t.rows = append(t.rows, r); len(t.rows) < 2*t.most {
		return nil
	}
	t.every *= 2
	for i := range t.most {
		t.rows[i] = t.rows[2*i]
	}
	t.rows = t.rows[:t.most]
	return &r
}
