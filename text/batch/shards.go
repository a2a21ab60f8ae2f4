package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"sort"

	"github.com/edsrzf/mmap-go"
)

// part is one shard in memory.
type part struct {
	name       string
	header     header
	ids        []byte // tokens * width bytes
	ends       []byte // 4 bytes a document
	mapping    mmap.MMap
	firstDoc   int64
	firstToken int64
}

// check verifies what the hash cannot: that the ends rise to the number of
// tokens, and that every id lies in the vocabulary, whose size fits an id.
func (p *part) check() error {
	if p.header.vocab > math.MaxInt32 {
		return fmt.Errorf("the header has a vocabulary of %d, more than ids can count: write the shards again", p.header.vocab)
	}
	last := uint32(0)
	for i := range int(p.header.documents) {
		end := p.end(i)
		if end <= last {
			return fmt.Errorf("document %d ends at token %d, the one before at %d", i, end, last)
		}
		last = end
	}
	if uint64(last) != p.header.tokens {
		return fmt.Errorf("the last document ends at token %d of %d", last, p.header.tokens)
	}
	var top uint32
	if p.header.width == 2 {
		for i := 0; i+2 <= len(p.ids); i += 2 {
			top = max(top, uint32(binary.LittleEndian.Uint16(p.ids[i:])))
		}
	} else {
		for i := 0; i+4 <= len(p.ids); i += 4 {
			top = max(top, binary.LittleEndian.Uint32(p.ids[i:]))
		}
	}
	if top >= p.header.vocab {
		return fmt.Errorf("token id %d is outside the vocabulary of %d", top, p.header.vocab)
	}
	return nil
}

func (p *part) end(i int) uint32 { return binary.LittleEndian.Uint32(p.ends[4*i:]) }

// read copies ids from index from on.
func (p *part) read(dst []int32, from int64) {
	if p.header.width == 2 {
		src := p.ids[2*from:][:2*len(dst)]
		for i := range dst {
			dst[i] = int32(binary.LittleEndian.Uint16(src[2*i:]))
		}
		return
	}
	src := p.ids[4*from:][:4*len(dst)]
	for i := range dst {
		dst[i] = int32(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// Shards is an open set of documents as token ids. It may be read from several
// goroutines at once.
type Shards struct {
	manifest *Manifest
	parts    []*part
}

// OpenShards maps the shards of a folder into memory. It reads every file once
// and checks sizes, hashes and ids, so that what it returns is sound.
func OpenShards(dir string) (_ *Shards, err error) {
	path := filepath.Join(dir, manifestName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("batch: %w: the folder holds no complete token shards: write them again", err)
	}
	if err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	m, err := parseManifest(path, b)
	if err != nil {
		return nil, err
	}
	s := &Shards{manifest: m}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for i, info := range m.Shards {
		path := filepath.Join(dir, info.File)
		p, err := mapShard(path)
		if err != nil {
			return nil, err
		}
		s.add(p)
		h := &p.header
		if h.info(i) != info || int(h.vocab) != m.Vocab || h.end != m.End || int(h.width) != m.Width || int64(h.first) != p.firstDoc ||
			fmt.Sprintf("%016x", h.fingerprint) != m.Fingerprint {
			return nil, fmt.Errorf("batch: %s is not the file that %s lists: write the shards again", path, manifestName)
		}
	}
	return s, nil
}

// mapShard maps and checks one file.
func mapShard(path string) (*part, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("batch: %w: write the shards again", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() < headerBytes {
		return nil, fmt.Errorf("batch: %s: truncated: the file has %d bytes, its header alone %d: write the shards again",
			path, info.Size(), headerBytes)
	}
	m, err := mmap.Map(f, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("batch: %s: map into memory: %w", path, err)
	}
	p, err := parseShard(path, m)
	if err != nil {
		m.Unmap()
		return nil, err
	}
	p.mapping = m
	return p, nil
}

func (s *Shards) add(p *part) {
	if n := len(s.parts); n > 0 {
		q := s.parts[n-1]
		p.firstDoc, p.firstToken = q.firstDoc+int64(q.header.documents), q.firstToken+int64(q.header.tokens)
	}
	s.parts = append(s.parts, p)
}

// InMemory makes shards of documents at hand, without files.
func InMemory(docs iter.Seq2[[]int32, error], o ShardOptions) (*Shards, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.From = 0
	s := new(Shards)
	var headers []header
	err := o.build(docs, 0, func(i int, h header, write func(io.Writer) error) error {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return err
		}
		p, err := parseShard(shardName(i), b.Bytes())
		if err != nil {
			return err
		}
		s.add(p)
		headers = append(headers, h)
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.manifest = newManifest(headers, o)
	return s, nil
}

// Close undoes the mapping. Nothing that reads from the shards may be used
// afterwards.
func (s *Shards) Close() error {
	var first error
	for _, p := range s.parts {
		if p.mapping != nil {
			if err := p.mapping.Unmap(); err != nil && first == nil {
				first = err
			}
		}
	}
	s.parts = nil
	return first
}

// Manifest describes the set. It must not be changed.
func (s *Shards) Manifest() *Manifest { return s.manifest }

// Documents returns the number of documents.
func (s *Shards) Documents() int { return int(s.manifest.Documents) }

// Tokens returns the number of ids of all documents.
func (s *Shards) Tokens() int64 { return s.manifest.Tokens }

// locate finds the shard of document doc, and its ids there as [from, to).
func (s *Shards) locate(doc int) (p *part, from, to int64) {
	if doc < 0 || doc >= s.Documents() {
		panic(fmt.Sprintf("batch: document %d of %d", doc, s.Documents()))
	}
	k := sort.Search(len(s.parts), func(k int) bool { return s.parts[k].firstDoc > int64(doc) }) - 1
	p = s.parts[k]
	i := doc - int(p.firstDoc)
	if i > 0 {
		from = int64(p.end(i - 1))
	}
	return p, from, int64(p.end(i))
}

// Len returns the number of ids of a document.
func (s *Shards) Len(doc int) int {
	_, from, to := s.locate(doc)
	return int(to - from)
}

// Document returns a copy of the ids of a document.
func (s *Shards) Document(doc int) []int32 {
	p, from, to := s.locate(doc)
	dst := make([]int32, to-from)
	p.read(dst, from)
	return dst
}

// ReadAt copies ids from position pos of all documents one after another;
// pos+len(dst) must not exceed Tokens.
func (s *Shards) ReadAt(dst []int32, pos int64) {
	if pos < 0 || pos+int64(len(dst)) > s.Tokens() {
		panic(fmt.Sprintf("batch: tokens [%d, %d) of %d", pos, pos+int64(len(dst)), s.Tokens()))
	}
	k := sort.Search(len(s.parts), func(k int) bool { return s.parts[k].firstToken > pos }) - 1
	for len(dst) > 0 {
		p := s.parts[k]
		from := pos - p.firstToken
		n := min(int64(len(dst)), int64(p.header.tokens)-from)
		p.read(dst[:n], from)
		dst, pos, k = dst[n:], pos+n, k+1
	}
}
