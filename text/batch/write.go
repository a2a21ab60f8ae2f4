package batch

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/foundling-lm/foundling/internal/atomicfile"
)

// ShardOptions says how documents are stored.
type ShardOptions struct {
	// Vocab is the number of ids; every id lies in [0, Vocab). Ids take 2
	// bytes on disk up to 65,536, else 4.
	Vocab int
	// End is the id that every document ends with, and that none is without;
	// NoEnd where documents have no such id.
	End int32
	// ShardBytes is the size at which a file of ids is full; 0 is 64 MiB.
	// Documents are never divided, so the last one of a file may exceed it.
	ShardBytes int64
	// TokenBytes has the length in bytes of the text of each id (0 for special
	// tokens), from which text bytes are counted. It may be nil.
	TokenBytes []int32
	// Tokenizer and Source are hashes that name the tokenizer and the text.
	// They are kept in the manifest, and a set is resumed or recognised as
	// done only if they agree.
	Tokenizer, Source string
	// From is the number of documents that earlier runs have stored, as
	// Written returns it: the sequences begin after them.
	From int64
}

// Validate reports the first option that makes no sense.
func (o ShardOptions) Validate() error {
	switch {
	case o.Vocab < 1 || o.Vocab > math.MaxInt32:
		return fmt.Errorf("batch: vocab is %d: want the size of the vocabulary", o.Vocab)
	case o.End < NoEnd || int(o.End) >= o.Vocab:
		return fmt.Errorf("batch: end is %d: want an id below %d, or -1 for none", o.End, o.Vocab)
	case o.ShardBytes < 0 || o.From < 0:
		return fmt.Errorf("batch: shard bytes %d and from %d must not be negative", o.ShardBytes, o.From)
	case o.TokenBytes != nil && len(o.TokenBytes) != o.Vocab:
		return fmt.Errorf("batch: token bytes has %d lengths for a vocabulary of %d", len(o.TokenBytes), o.Vocab)
	}
	return nil
}

func (o ShardOptions) width() int {
	if o.Vocab <= 1<<16 {
		return 2
	}
	return 4
}

func (o ShardOptions) shardBytes() int64 {
	if o.ShardBytes == 0 {
		return 64 << 20
	}
	return o.ShardBytes
}

// fingerprint is a hash of the options that the bytes of a shard depend on.
func (o ShardOptions) fingerprint() uint64 {
	h := xxh3.New()
	fmt.Fprintf(h, "%d %d %d %d %q %q", formatVersion, o.Vocab, o.End, o.shardBytes(), o.Tokenizer, o.Source)
	for _, n := range o.TokenBytes {
		fmt.Fprintf(h, " %d", n)
	}
	return h.Sum64()
}

// WriteShards stores each sequence as one document. A sequence may be reused by
// its producer after the next one is asked for.
//
// Files appear whole or not at all, and the manifest comes last. If the folder
// holds a complete set with the same options and a Source that is not "", it
// is kept and no sequence is read. Else earlier shards are replaced, except
// those of the first From documents. The files are a function of the sequences
// and the options, however often the work was broken off.
func WriteShards(ctx context.Context, dir string, seqs iter.Seq2[[]int32, error], o ShardOptions) (*Manifest, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Source != "" && o.From == 0 {
		if m := complete(dir, o); m != nil {
			return m, nil
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("batch: %w: choose another folder", err)
	}
	headers, err := kept(dir, o, o.From)
	if err != nil {
		return nil, err
	}
	if err := clean(dir, len(headers)); err != nil {
		return nil, fmt.Errorf("batch: remove old shards: %w", err)
	}
	err = o.build(cancelled(ctx, seqs), len(headers), func(i int, h header, write func(io.Writer) error) error {
		path := filepath.Join(dir, shardName(i))
		if err := atomicfile.Write(path, write); err != nil {
			return fmt.Errorf("batch: %s: %w: free some space or choose another folder", path, err)
		}
		headers = append(headers, h)
		return nil
	})
	if err != nil {
		return nil, err
	}
	m := newManifest(headers, o)
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, manifestName)
	if err := atomicfile.WriteFile(path, append(b, '\n')); err != nil {
		return nil, fmt.Errorf("batch: %s: %w: free some space or choose another folder", path, err)
	}
	return m, nil
}

// complete returns the manifest of a sound, complete set written with these
// options, or nil.
func complete(dir string, o ShardOptions) *Manifest {
	s, err := OpenShards(dir)
	if err != nil {
		return nil
	}
	defer s.Close()
	if s.manifest.Fingerprint != fmt.Sprintf("%016x", o.fingerprint()) {
		return nil
	}
	return s.manifest
}

// Written returns how many documents the whole shards of a folder hold that
// were written with these options. To go on after a run that was broken off,
// leave out as many sequences and set From to the number.
func Written(dir string, o ShardOptions) (documents int64, err error) {
	if err := o.Validate(); err != nil {
		return 0, err
	}
	headers, err := kept(dir, o, math.MaxInt64)
	for _, h := range headers {
		documents += int64(h.documents)
	}
	return documents, err
}

// kept returns the headers of the sound shards of the first documents. Asked
// for math.MaxInt64 it returns all there are, else exactly as many documents
// must be there.
func kept(dir string, o ShardOptions, documents int64) ([]header, error) {
	var headers []header
	var n int64
	for n < documents {
		path := filepath.Join(dir, shardName(len(headers)))
		p, err := mapShard(path)
		if err == nil {
			p.mapping.Unmap()
		}
		if err != nil || p.header.fingerprint != o.fingerprint() || int64(p.header.first) != n {
			if documents == math.MaxInt64 {
				return headers, nil
			}
			return nil, fmt.Errorf("batch: %s holds %d documents of this kind, not %d: ask Written how many there are", dir, n, documents)
		}
		n += int64(p.header.documents)
		headers = append(headers, p.header)
	}
	if n > documents {
		return nil, fmt.Errorf("batch: from is %d, but a shard of %s ends with document %d: ask Written how many there are", documents, dir, n)
	}
	return headers, nil
}

// clean removes the manifest, the shards from number first on, and files that
// a killed run left behind.
func clean(dir string, first int) error {
	// The manifest goes first, so that no moment shows it beside other shards.
	if err := os.Remove(filepath.Join(dir, manifestName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, pattern := range []string{"shard-*.tok", ".shard-*.tok.tmp-*", "." + manifestName + ".tmp-*"} {
		names, err := filepath.Glob(filepath.Join(escapeGlob(dir), pattern))
		if err != nil {
			return err
		}
		for _, name := range names {
			var i int
			if _, err := fmt.Sscanf(filepath.Base(name), "shard-%d.tok", &i); err == nil && i < first {
				continue
			}
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// escapeGlob makes a folder's name stand for itself in a pattern. Windows has
// no escapes, nor * and ? in names.
func escapeGlob(dir string) string {
	if filepath.Separator == '\\' {
		return dir
	}
	var b []byte
	for i := range len(dir) {
		switch dir[i] {
		case '*', '?', '[', '\\':
			b = append(b, '\\')
		}
		b = append(b, dir[i])
	}
	return string(b)
}

// cancelled ends a stream of sequences with the context's error.
func cancelled(ctx context.Context, seqs iter.Seq2[[]int32, error]) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		for ids, err := range seqs {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			if !yield(ids, err) {
				return
			}
		}
	}
}

// build divides sequences into shards, the first of them number shard, and
// calls flush with each.
func (o ShardOptions) build(seqs iter.Seq2[[]int32, error], shard int, flush func(int, header, func(io.Writer) error) error) error {
	b := builder{o: o, doc: o.From}
	b.start()
	for ids, err := range seqs {
		if err != nil {
			return err
		}
		if err := b.add(ids); err != nil {
			return err
		}
		if int64(len(b.ids)) >= o.shardBytes() {
			if err := flush(shard, b.finish(), b.write); err != nil {
				return err
			}
			shard++
			b.start()
		}
	}
	if b.h.documents > 0 {
		return flush(shard, b.finish(), b.write)
	}
	if shard == 0 {
		return errors.New("batch: there is no document to store: give some text")
	}
	return nil
}

// builder holds one shard in memory until it is full.
type builder struct {
	o    ShardOptions
	doc  int64 // documents so far
	h    header
	head [headerBytes]byte
	ids  []byte
	ends []byte
}

func (b *builder) start() {
	b.h = header{version: formatVersion, width: uint32(b.o.width()), first: uint64(b.doc), fingerprint: b.o.fingerprint(),
		vocab: uint32(b.o.Vocab), end: b.o.End}
	b.ids, b.ends = b.ids[:0], b.ends[:0]
}

func (b *builder) add(ids []int32) error {
	if len(ids) == 0 {
		return fmt.Errorf("batch: document %d has no tokens", b.doc)
	}
	if end := b.o.End; end != NoEnd && ids[len(ids)-1] != end {
		return fmt.Errorf("batch: document %d ends with token %d, want the end token %d", b.doc, ids[len(ids)-1], end)
	}
	if b.h.tokens += uint64(len(ids)); b.h.tokens > math.MaxUint32 {
		return fmt.Errorf("batch: document %d has %d tokens: split it", b.doc, len(ids))
	}
	for i, id := range ids {
		if uint32(id) >= uint32(b.o.Vocab) {
			return fmt.Errorf("batch: document %d, token %d: id %d is outside the vocabulary of %d", b.doc, i, id, b.o.Vocab)
		}
	}
	at, width := len(b.ids), int(b.h.width)
	b.ids = slices.Grow(b.ids, width*len(ids))[:at+width*len(ids)]
	if out := b.ids[at:]; width == 4 {
		for i, id := range ids {
			binary.LittleEndian.PutUint32(out[4*i:], uint32(id))
		}
	} else {
		for i, id := range ids {
			binary.LittleEndian.PutUint16(out[2*i:], uint16(id))
		}
	}
	if b.o.TokenBytes != nil {
		for _, id := range ids {
			b.h.bytes += uint64(b.o.TokenBytes[id])
		}
	}
	b.ends = binary.LittleEndian.AppendUint32(b.ends, uint32(b.h.tokens))
	b.h.documents++
	b.doc++
	return nil
}

// finish completes the header.
func (b *builder) finish() header {
	for len(b.ids)%4 != 0 {
		b.ids = append(b.ids, 0)
	}
	b.h.put(b.head[:])
	sum := xxh3.New128()
	for _, part := range [][]byte{b.head[:hashedBytes], b.ids, b.ends} {
		sum.Write(part)
	}
	b.h.hash = sum.Sum128().Bytes()
	b.h.put(b.head[:])
	return b.h
}

func (b *builder) write(w io.Writer) error {
	for _, part := range [][]byte{b.head[:], b.ids, b.ends} {
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}
