package batch

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foundling-lm/foundling/internal/rng"
)

const testVocab, testEnd = 300, 7

// randomDocs makes n documents of 1 to longest ids that end with testEnd.
func randomDocs(seed uint64, n, longest int) [][]int32 {
	docs := make([][]int32, n)
	for i := range docs {
		docs[i] = make([]int32, 1+rng.Intn(seed, 1, uint64(i), longest))
		for j := range docs[i] {
			docs[i][j] = int32(rng.Intn(seed, 2, uint64(i*longest+j), testVocab))
		}
		docs[i][len(docs[i])-1] = testEnd
	}
	return docs
}

func sequences(docs [][]int32) iter.Seq2[[]int32, error] {
	return func(yield func([]int32, error) bool) {
		for _, d := range docs {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func testOptions() ShardOptions {
	lengths := make([]int32, testVocab)
	for i := range lengths {
		lengths[i] = int32(i % 5)
	}
	return ShardOptions{Vocab: testVocab, End: testEnd, ShardBytes: 500, TokenBytes: lengths, Tokenizer: "t"}
}

// folder reads every file of a folder.
func folder(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(b)
	}
	return files
}

func write(t testing.TB, dir string, docs [][]int32, o ShardOptions) *Manifest {
	t.Helper()
	m, err := WriteShards(context.Background(), dir, sequences(docs), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestShardsRoundTrip(t *testing.T) {
	docs := randomDocs(1, 120, 40)
	for _, vocab := range []int{testVocab, 1 << 16, 1<<16 + 1, 1 << 20} {
		o := testOptions()
		o.Vocab, o.TokenBytes = vocab, nil
		docs[3][0] = int32(vocab - 1)
		dir := filepath.Join(t.TempDir(), "new", "shards")
		m := write(t, dir, docs, o)
		s, err := OpenShards(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Shards) < 5 || s.Documents() != len(docs) {
			t.Errorf("vocab %d: got %d shards, %d documents", vocab, len(m.Shards), s.Documents())
		}
		var all []int32
		for i, d := range docs {
			if got := s.Document(i); !slices.Equal(got, d) || s.Len(i) != len(d) {
				t.Fatalf("vocab %d, document %d: got %v, want %v", vocab, i, got, d)
			}
			all = append(all, d...)
		}
		got := make([]int32, len(all))
		s.ReadAt(got, 0)
		if !slices.Equal(got, all) || s.Tokens() != int64(len(all)) {
			t.Errorf("vocab %d: ReadAt of everything differs", vocab)
		}
		s.ReadAt(got[:100], 777)
		if !slices.Equal(got[:100], all[777:877]) {
			t.Errorf("vocab %d: ReadAt from 777 differs", vocab)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestManifestCounts(t *testing.T) {
	docs, o := randomDocs(1, 100, 30), testOptions()
	var tokens, bytes int64
	for _, d := range docs {
		tokens += int64(len(d))
		for _, id := range d {
			bytes += int64(o.TokenBytes[id])
		}
	}
	m := write(t, t.TempDir(), docs, o)
	if m.Tokens != tokens || m.Bytes != bytes || m.Documents != 100 || m.Tokenizer != "t" || m.Width != 2 {
		t.Errorf("got %+v, want %d tokens and %d bytes", m, tokens, bytes)
	}
	s, err := InMemory(sequences(docs), o)
	if err != nil {
		t.Fatal(err)
	}
	if s.Manifest().Hash != m.Hash {
		t.Errorf("in memory: hash %s, on disk %s", s.Manifest().Hash, m.Hash)
	}
}

func TestWriteAgainGivesSameBytes(t *testing.T) {
	docs, o := randomDocs(2, 60, 40), testOptions()
	a, b := t.TempDir(), t.TempDir()
	write(t, a, docs, o)
	// Over other shards, more of them, and the rest of a killed run.
	write(t, b, randomDocs(9, 90, 40), o)
	if err := os.WriteFile(filepath.Join(b, ".shard-00003.tok.tmp-1"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, b, docs, o)
	if !maps.Equal(folder(t, a), folder(t, b)) {
		t.Error("the same sequences gave other files")
	}
}

func TestCompleteSetIsKept(t *testing.T) {
	docs, o := randomDocs(2, 50, 40), testOptions()
	o.Source = "corpus hash"
	dir := t.TempDir()
	want := write(t, dir, docs, o)
	unread := func(func([]int32, error) bool) { t.Error("sequences were read though the set is complete") }
	got, err := WriteShards(context.Background(), dir, unread, o)
	if err != nil || got.Hash != want.Hash {
		t.Errorf("got %v, %v; want the complete set", got, err)
	}
	o.Source = "another"
	if got := write(t, dir, docs[:20], o); got.Documents != 20 {
		t.Errorf("another source: got %d documents, want 20", got.Documents)
	}
}

// TestResumeAfterAnyShard breaks the writing off after every number of
// documents and goes on from what is whole.
func TestResumeAfterAnyShard(t *testing.T) {
	docs, o := randomDocs(3, 14, 40), testOptions()
	o.ShardBytes = 150
	clean := t.TempDir()
	write(t, clean, docs, o)
	want := folder(t, clean)
	stop := errors.New("stop")
	dir := t.TempDir()
	for cut := range len(docs) + 1 {
		failing := func(yield func([]int32, error) bool) {
			for _, d := range docs[:cut] {
				if !yield(d, nil) {
					return
				}
			}
			yield(nil, stop)
		}
		o.From = 0
		if _, err := WriteShards(context.Background(), dir, failing, o); err != stop {
			t.Fatalf("cut %d: got %v, want the error of the sequences", cut, err)
		}
		if _, err := OpenShards(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("cut %d: a broken-off set opens with %v", cut, err)
		}
		n, err := Written(dir, o)
		if err != nil || n > int64(cut) {
			t.Fatalf("cut %d: got %d written documents, %v", cut, n, err)
		}
		o.From = n
		write(t, dir, docs[n:], o)
		if got := folder(t, dir); !maps.Equal(got, want) {
			t.Fatalf("cut %d: resumed from document %d, the files differ", cut, n)
		}
	}
	o.From = 1
	if _, err := WriteShards(context.Background(), dir, sequences(docs), o); err == nil || !strings.Contains(err.Error(), "Written") {
		t.Errorf("from the middle of a shard: got %v", err)
	}
	o.Tokenizer, o.From = "other", 0
	if n, _ := Written(dir, o); n != 0 {
		t.Errorf("another tokenizer: got %d documents to go on from, want 0", n)
	}
}

const killDir = "FOUNDLING_BATCH_TEST_KILL_DIR"

func killDocs() [][]int32 { return randomDocs(4, 4000, 200) }

// TestKilled kills a writing process at several moments, and expects either no
// set or the whole one, and the same files after another run.
func TestKilled(t *testing.T) {
	o := testOptions()
	o.ShardBytes = 20_000
	if dir := os.Getenv(killDir); dir != "" {
		WriteShards(context.Background(), dir, sequences(killDocs()), o)
		return
	}
	clean := t.TempDir()
	start := time.Now()
	write(t, clean, killDocs(), o)
	whole := time.Since(start)
	want := folder(t, clean)
	partial := 0
	for try := range 8 {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
		cmd.Env = append(os.Environ(), killDir+"="+dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 2000 { // until the first shard is there
			if _, err := os.Stat(filepath.Join(dir, shardName(0))); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(whole * time.Duration(try) / 10)
		cmd.Process.Kill()
		cmd.Wait()
		n, err := Written(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := OpenShards(dir); err == nil {
			s.Close()
			if !maps.Equal(folder(t, dir), want) {
				t.Error("a set with a manifest differs from the uninterrupted one")
			}
		} else if partial++; !errors.Is(err, os.ErrNotExist) {
			t.Errorf("after the kill: got %v, want no manifest", err)
		}
		o := o
		o.From = n
		write(t, dir, killDocs()[n:], o)
		if !maps.Equal(folder(t, dir), want) {
			t.Errorf("try %d: resumed from document %d, the files differ", try, n)
		}
	}
	t.Logf("%d of 8 kills came before the end", partial)
}

func TestWriteErrors(t *testing.T) {
	good := testOptions()
	for _, tt := range []struct {
		name   string
		docs   [][]int32
		change func(*ShardOptions)
		want   string
	}{
		{"no documents", nil, nil, "no document to store"},
		{"empty document", [][]int32{{1, testEnd}, {}}, nil, "document 1 has no tokens"},
		{"no end token", [][]int32{{1, 2}}, nil, "ends with token 2, want the end token 7"},
		{"id too large", [][]int32{{1, testVocab, testEnd}}, nil, "id 300 is outside"},
		{"negative id", [][]int32{{-1, testEnd}}, nil, "id -1 is outside"},
		{"no vocabulary", nil, func(o *ShardOptions) { o.Vocab = 0 }, "vocab is 0"},
		{"end outside", nil, func(o *ShardOptions) { o.End = testVocab }, "end is 300"},
		{"token bytes", nil, func(o *ShardOptions) { o.TokenBytes = o.TokenBytes[1:] }, "299 lengths"},
	} {
		o := good
		if tt.change != nil {
			tt.change(&o)
		}
		dir := t.TempDir()
		if _, err := WriteShards(context.Background(), dir, sequences(tt.docs), o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if len(folder(t, dir)) != 0 {
			t.Errorf("%s: files were left behind", tt.name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := WriteShards(ctx, t.TempDir(), sequences(randomDocs(1, 9, 9)), good); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o644)
	if _, err := WriteShards(context.Background(), filepath.Join(file, "sub"), sequences(randomDocs(1, 9, 9)), good); err == nil || !strings.Contains(err.Error(), "another folder") {
		t.Errorf("folder below a file: got %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	docs, o := randomDocs(5, 100, 40), testOptions()
	first := shardName(0)
	edit := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	whole := t.TempDir()
	write(t, whole, docs, o)
	for _, tt := range []struct {
		name, file string
		change     func(string) string
		want       string
	}{
		{"no manifest", manifestName, nil, "no complete token shards"},
		{"no shard", first, nil, first},
		{"cut manifest", manifestName, func(s string) string { return s[:50] }, "unexpected end"},
		{"other format", manifestName, edit(`"format": 1`, `"format": 2`), "field format is 2, want 1"},
		{"bad width", manifestName, edit(`"width": 2`, `"width": 3`), "field width is 3"},
		{"other file", manifestName, edit(first, "../"+first), "field shards[0].file"},
		{"wrong sum", manifestName, edit(`"documents": 100`, `"documents": 101`), "field documents is 101"},
		{"other vocabulary", manifestName, edit(`"vocab": 300`, `"vocab": 301`), "is not the file"},
		{"truncated shard", first, func(s string) string { return s[:len(s)-1] }, "truncated"},
		{"truncated header", first, func(s string) string { return s[:20] }, "truncated"},
		{"empty shard", first, func(s string) string { return "" }, "truncated"},
		{"longer shard", first, func(s string) string { return s + "x" }, "its header says"},
		{"other magic", first, func(s string) string { return "x" + s[1:] }, "not a token shard"},
		{"flipped bit", first, func(s string) string { return s[:200] + string(s[200]^1) + s[201:] }, "hash does not match"},
	} {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, tt.file)
		b, _ := os.ReadFile(path)
		os.Remove(path)
		if tt.change != nil {
			os.WriteFile(path, []byte(tt.change(string(b))), 0o644)
		}
		if _, err := OpenShards(dir); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.file) {
			t.Errorf("%s: got %v, want %q and the name of the file", tt.name, err, tt.want)
		}
	}
	// A sound shard of other documents in place of the first.
	other := t.TempDir()
	write(t, other, randomDocs(6, 20, 40), o)
	b, _ := os.ReadFile(filepath.Join(other, first))
	os.WriteFile(filepath.Join(whole, first), b, 0o644)
	if _, err := OpenShards(whole); err == nil || !strings.Contains(err.Error(), "is not the file") {
		t.Errorf("swapped shard: got %v", err)
	}
}

// shardBytes is one shard file in memory.
func shardBytes(t testing.TB, docs [][]int32, o ShardOptions) []byte {
	b := builder{o: o}
	b.start()
	for _, d := range docs {
		if err := b.add(d); err != nil {
			t.Fatal(err)
		}
	}
	b.finish()
	var out bytes.Buffer
	b.write(&out)
	return out.Bytes()
}

// rehash makes a changed shard file pass the test of its hash.
func rehash(b []byte) []byte {
	if len(b) >= headerBytes {
		h := hashFile(b)
		copy(b[hashedBytes:], h[:])
	}
	return b
}

func TestParseShardChecksContent(t *testing.T) {
	o := testOptions()
	le := binary.LittleEndian
	docs := [][]int32{{1, 2, testEnd}, {3, testEnd}}
	for _, tt := range []struct {
		name   string
		change func(b []byte)
		want   string
	}{
		{"id outside", func(b []byte) { le.PutUint16(b[headerBytes+2:], 300) }, "id 300 is outside"},
		{"ends fall", func(b []byte) { le.PutUint32(b[len(b)-4:], 2) }, "document 1 ends at token 2"},
		{"ends short", func(b []byte) { le.PutUint32(b[len(b)-4:], 4) }, "ends at token 4 of 5"},
		{"huge count", func(b []byte) { le.PutUint64(b[16:], 1<<63) }, "the header counts"},
		{"huge vocabulary", func(b []byte) { le.PutUint32(b[56:], 1<<31) }, "more than ids can count"},
		{"no documents", func(b []byte) { le.PutUint64(b[24:], 0) }, "the header counts"},
	} {
		b := shardBytes(t, docs, o)
		tt.change(b)
		if _, err := parseShard("x.tok", rehash(b)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// FuzzShard reads any bytes as a shard, with the hash made right so that the
// checks behind it are reached too; what is accepted must read without panic.
func FuzzShard(f *testing.F) {
	o := testOptions()
	f.Add(shardBytes(f, randomDocs(1, 5, 9), o))
	o.Vocab, o.TokenBytes = 1<<20, nil
	f.Add(shardBytes(f, randomDocs(1, 3, 5), o))
	f.Add([]byte(shardMagic))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseShard("x.tok", rehash(slices.Clone(data)))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "batch: x.tok: ") {
				t.Errorf("error %q does not name the file", err)
			}
			return
		}
		ids := make([]int32, p.header.tokens)
		p.read(ids, 0)
		for _, id := range ids {
			if id < 0 || uint32(id) >= p.header.vocab {
				t.Fatalf("id %d of a vocabulary of %d", id, p.header.vocab)
			}
		}
	})
}

// FuzzManifest reads any bytes as a manifest.
func FuzzManifest(f *testing.F) {
	dir := f.TempDir()
	write(f, dir, randomDocs(1, 50, 40), testOptions())
	f.Add([]byte(folder(f, dir)[manifestName]))
	f.Add([]byte(`{"format":1,"width":2,"vocab":5,"end":-1,"shards":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseManifest("m.json", data)
		if err == nil && (m.Documents < 1 || m.Tokens < m.Documents || m.Vocab < 1) {
			t.Errorf("accepted %+v", m)
		}
	})
}

func BenchmarkWriteShards(b *testing.B) {
	docs := randomDocs(1, 2000, 2000)
	n := 0
	for _, d := range docs {
		n += len(d)
	}
	o := testOptions()
	o.ShardBytes = 0
	b.SetBytes(int64(2 * n))
	for b.Loop() {
		write(b, b.TempDir(), docs, o)
	}
}

// ExampleWriteShards stores two documents and makes a batch of them.
func ExampleWriteShards() {
	dir, _ := os.MkdirTemp("", "shards")
	defer os.RemoveAll(dir)
	docs := sequences([][]int32{{5, 6, 0}, {8, 0}}) // 0 is the end token
	if _, err := WriteShards(context.Background(), dir, docs, ShardOptions{Vocab: 10}); err != nil {
		fmt.Println(err)
		return
	}
	s, err := OpenShards(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	l, _ := NewLoader(s, LoaderOptions{B: 1, T: 6, Seed: 1})
	b := l.At(0)
	fmt.Println(b.IDs, b.Targets, b.Pos, b.Start, b.Trained)
	// Output: [0 8 0 5 6 0] [8 0 5 6 0 -1] [0 1 0 1 2 0] [0 0 2 2 2 5] 5
}
