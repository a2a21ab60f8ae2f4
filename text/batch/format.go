package batch

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/zeebo/xxh3"
)

// A shard file is a header, the ids of its documents one after another (2 or 4
// bytes each), zero bytes up to a multiple of 4, and for each document the
// number of ids up to its end (4 bytes). All numbers are little-endian.
const (
	shardMagic    = "FNDSHARD"
	formatVersion = 1
	headerBytes   = 80
	hashedBytes   = 64 // of the header; the hash itself follows
	manifestName  = "manifest.json"
)

// NoEnd as ShardOptions.End says that documents have no end token.
const NoEnd = -1

// header is the head of a shard file, field by field in file order after the
// magic.
type header struct {
	version, width           uint32
	tokens, documents, bytes uint64
	first                    uint64 // documents in earlier shards
	fingerprint              uint64 // of the options it was written with
	vocab                    uint32
	end                      int32
	hash                     [16]byte // xxh3-128 of the head before it and all that follows it
}

func (h *header) put(b []byte) {
	le := binary.LittleEndian
	copy(b, shardMagic)
	le.PutUint32(b[8:], h.version)
	le.PutUint32(b[12:], h.width)
	for i, v := range []uint64{h.tokens, h.documents, h.bytes, h.first, h.fingerprint} {
		le.PutUint64(b[16+8*i:], v)
	}
	le.PutUint32(b[56:], h.vocab)
	le.PutUint32(b[60:], uint32(h.end))
	copy(b[hashedBytes:], h.hash[:])
}

func (h *header) get(b []byte) {
	le := binary.LittleEndian
	h.version, h.width = le.Uint32(b[8:]), le.Uint32(b[12:])
	for i, p := range []*uint64{&h.tokens, &h.documents, &h.bytes, &h.first, &h.fingerprint} {
		*p = le.Uint64(b[16+8*i:])
	}
	h.vocab, h.end = le.Uint32(b[56:]), int32(le.Uint32(b[60:]))
	copy(h.hash[:], b[hashedBytes:])
}

// size returns the length of the whole file, or false if the header asks for
// more than any file holds.
func (h *header) size() (int64, bool) {
	const most = 1 << 40
	if h.tokens > most || h.documents > most {
		return 0, false
	}
	return headerBytes + (int64(h.tokens)*int64(h.width)+3)&^3 + 4*int64(h.documents), true
}

// hashFile hashes a whole shard file without the place of the hash.
func hashFile(b []byte) [16]byte {
	h := xxh3.New128()
	h.Write(b[:hashedBytes])
	h.Write(b[headerBytes:])
	return h.Sum128().Bytes()
}

// Manifest describes a complete set of shards. It is written last: a folder
// with a manifest is whole.
type Manifest struct {
	Format int `json:"format"`
	// Tokenizer and Source are what ShardOptions said.
	Tokenizer string `json:"tokenizer"`
	Source    string `json:"source"`
	Vocab     int    `json:"vocab"`
	End       int32  `json:"end"`   // id that ends each document, or NoEnd
	Width     int    `json:"width"` // bytes an id takes on disk, 2 or 4
	Tokens    int64  `json:"tokens"`
	Documents int64  `json:"documents"`
	// Bytes is the number of text bytes that the tokens stand for; 0 if the
	// writer was not told the lengths of tokens.
	Bytes int64 `json:"bytes"`
	// Fingerprint is a hash of the options, Hash one of everything stored.
	Fingerprint string      `json:"fingerprint"`
	Hash        string      `json:"hash"`
	Shards      []ShardInfo `json:"shards"`
}

// ShardInfo describes one shard file.
type ShardInfo struct {
	File      string `json:"file"`
	Tokens    int64  `json:"tokens"`
	Documents int64  `json:"documents"`
	Bytes     int64  `json:"bytes"`
	Hash      string `json:"hash"`
}

func shardName(i int) string { return fmt.Sprintf("shard-%05d.tok", i) }

// info is the header as the manifest lists it.
func (h *header) info(i int) ShardInfo {
	return ShardInfo{File: shardName(i), Tokens: int64(h.tokens), Documents: int64(h.documents), Bytes: int64(h.bytes),
		Hash: fmt.Sprintf("%x", h.hash)}
}

// newManifest sums up headers.
func newManifest(headers []header, o ShardOptions) *Manifest {
	m := &Manifest{Format: formatVersion, Tokenizer: o.Tokenizer, Source: o.Source, Vocab: o.Vocab, End: o.End,
		Width: o.width(), Fingerprint: fmt.Sprintf("%016x", o.fingerprint())}
	sum := xxh3.New128()
	for i, h := range headers {
		info := h.info(i)
		m.Shards = append(m.Shards, info)
		m.Tokens += info.Tokens
		m.Documents += info.Documents
		m.Bytes += info.Bytes
		sum.Write(h.hash[:])
	}
	m.Hash = fmt.Sprintf("%x", sum.Sum128().Bytes())
	return m
}

// parseManifest reads and checks a manifest; path is for errors.
func parseManifest(path string, b []byte) (*Manifest, error) {
	m := new(Manifest)
	bad := func(field string, value any, want string) error {
		return fmt.Errorf("batch: %s: field %s is %v, want %s: write the shards again", path, field, value, want)
	}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("batch: %s: %w: write the shards again", path, err)
	}
	switch {
	case m.Format != formatVersion:
		return nil, bad("format", m.Format, fmt.Sprint(formatVersion))
	case m.Width != 2 && m.Width != 4:
		return nil, bad("width", m.Width, "2 or 4")
	case m.Vocab < 1 || m.Vocab > 1<<31-1 || m.Width == 2 && m.Vocab > 1<<16:
		return nil, bad("vocab", m.Vocab, fmt.Sprintf("a size that fits %d bytes an id", m.Width))
	case m.End < NoEnd || int(m.End) >= m.Vocab:
		return nil, bad("end", m.End, "an id below vocab, or -1")
	case len(m.Shards) == 0:
		return nil, bad("shards", "empty", "at least one")
	}
	var tokens, documents, bytes int64
	for i, s := range m.Shards {
		if s.File != shardName(i) {
			return nil, bad(fmt.Sprintf("shards[%d].file", i), fmt.Sprintf("%q", s.File), shardName(i))
		}
		if s.Tokens < 1 || s.Documents < 1 || s.Documents > s.Tokens || s.Bytes < 0 || s.Tokens > 1<<32-1 {
			return nil, bad(fmt.Sprintf("shards[%d]", i), fmt.Sprintf("%d tokens, %d documents, %d bytes", s.Tokens, s.Documents, s.Bytes), "positive counts")
		}
		tokens, documents, bytes = tokens+s.Tokens, documents+s.Documents, bytes+s.Bytes
	}
	switch {
	case tokens != m.Tokens:
		return nil, bad("tokens", m.Tokens, fmt.Sprintf("%d as in shards", tokens))
	case documents != m.Documents:
		return nil, bad("documents", m.Documents, fmt.Sprintf("%d as in shards", documents))
	case bytes != m.Bytes:
		return nil, bad("bytes", m.Bytes, fmt.Sprintf("%d as in shards", bytes))
	}
	return m, nil
}

// parseShard checks the bytes of a shard file and returns its parts, which
// alias them.
func parseShard(path string, b []byte) (*part, error) {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("batch: %s: %s: write the shards again", path, fmt.Sprintf(format, args...))
	}
	if len(b) < headerBytes {
		return nil, bad("truncated: the file has %d bytes, its header alone %d", len(b), headerBytes)
	}
	if string(b[:8]) != shardMagic {
		return nil, bad("not a token shard")
	}
	p := &part{name: filepath.Base(path)}
	h := &p.header
	h.get(b)
	if h.version != formatVersion || h.width != 2 && h.width != 4 {
		return nil, bad("field version is %d and width %d, want %d and 2 or 4", h.version, h.width, formatVersion)
	}
	size, ok := h.size()
	switch {
	case !ok || h.tokens == 0 || h.documents == 0 || h.documents > h.tokens || h.tokens > 1<<32-1:
		return nil, bad("the header counts %d tokens in %d documents", h.tokens, h.documents)
	case int64(len(b)) < size:
		return nil, bad("truncated: the file has %d bytes, its header says %d", len(b), size)
	case int64(len(b)) > size:
		return nil, bad("the file has %d bytes, its header says %d", len(b), size)
	case hashFile(b) != h.hash:
		return nil, bad("the hash does not match: the file was changed or damaged")
	}
	p.ids = b[headerBytes:][:h.tokens*uint64(h.width)]
	p.ends = b[len(b)-4*int(h.documents):]
	if err := p.check(); err != nil {
		return nil, bad("%s", err)
	}
	return p, nil
}
