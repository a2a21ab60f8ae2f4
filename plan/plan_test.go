package plan

import (
	"encoding/csv"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/foundling-lm/foundling/internal/golden"
	"github.com/foundling-lm/foundling/model"
	"github.com/foundling-lm/foundling/model/zoo"
)

func gpt2(layers, width int) Shape {
	return Shape{Family: "gpt2", Layers: layers, Width: width, Heads: width / 64, FF: 4 * width, Vocab: 50257, Context: 1024}
}

func llama(layers, width, ff, heads, kv, vocab int) Shape {
	return Shape{Family: "llama", Layers: layers, Width: width, FF: ff, Heads: heads, KVHeads: kv, Vocab: vocab, Context: 4096}
}

var published = []struct {
	name  string
	shape Shape
	want  int64
}{
	{"gpt2", gpt2(12, 768), 124_439_808},
	{"gpt2-medium", gpt2(24, 1024), 354_823_168},
	{"gpt2-large", gpt2(36, 1280), 774_030_080},
	{"gpt2-xl", gpt2(48, 1600), 1_557_611_200},
	{"llama-2-7b", llama(32, 4096, 11008, 32, 0, 32000), 6_738_415_616},
	{"llama-2-13b", llama(40, 5120, 13824, 40, 0, 32000), 13_015_864_320},
	{"llama-2-70b", llama(80, 8192, 28672, 64, 8, 32000), 68_976_648_192},
	{"llama-3-8b", llama(32, 4096, 14336, 32, 8, 128256), 8_030_261_248},
	{"llama-3-70b", llama(80, 8192, 28672, 64, 8, 128256), 70_553_706_496},
	{"llama-3.1-405b", llama(126, 16384, 53248, 128, 8, 128256), 405_853_388_800},
	{"mistral-7b", of("mistral", llama(32, 4096, 14336, 32, 8, 32000)), 7_241_732_096},
	{"llama-3.2-1b", tied(llama(16, 2048, 8192, 32, 8, 128256)), 1_235_814_400},
	{"smollm2-135m", tied(llama(30, 576, 1536, 9, 3, 49152)), 134_515_008},
	{"tinyllama-1.1b", llama(22, 2048, 5632, 32, 4, 32000), 1_100_048_384},
	{"qwen2-0.5b", of("qwen2", tied(llama(24, 896, 4864, 14, 2, 151936))), 494_032_768},
	{"qwen2-7b", of("qwen2", llama(28, 3584, 18944, 28, 4, 152064)), 7_615_616_512},
	{"qwen3-0.6b", wide(128, of("qwen3", tied(llama(28, 1024, 3072, 16, 8, 151936)))), 596_049_920},
	{"qwen3-8b", wide(128, of("qwen3", llama(36, 4096, 12288, 32, 8, 151936))), 8_190_735_360},
	{"gemma-2-2b", wide(256, of("gemma2", tied(llama(26, 2304, 9216, 8, 4, 256000)))), 2_614_341_888},
	{"gemma-2-9b", wide(256, of("gemma2", tied(llama(42, 3584, 14336, 16, 8, 256000)))), 9_241_705_984},
	{"gemma-3-1b", wide(256, of("gemma3_text", tied(llama(26, 1152, 6912, 4, 1, 262144)))), 999_885_952},
	{"phi-3-mini", of("phi3", llama(32, 3072, 8192, 32, 0, 32064)), 3_821_079_552},
	{"olmo-2-1b", of("olmo2", llama(16, 2048, 8192, 16, 16, 100352)), 1_484_916_736},
	{"olmo-2-7b", of("olmo2", llama(32, 4096, 11008, 32, 32, 100352)), 7_298_617_344},
	{"mixtral-8x7b", experts(8, 2, 14336, 0, of("mixtral", llama(32, 4096, 14336, 32, 8, 32000))), 46_702_792_704},
	{"qwen1.5-moe-a2.7b", experts(60, 4, 1408, 5632, of("qwen2_moe", llama(24, 2048, 5632, 16, 16, 151936))), 14_315_784_192},
	{"qwen3-30b-a3b", experts(128, 8, 768, 0, wide(128, of("qwen3_moe", llama(48, 2048, 6144, 32, 4, 151936)))), 30_532_122_624},
}

func of(family string, s Shape) Shape {
	s.Family = family
	return s
}

func tied(s Shape) Shape {
	s.Tied = true
	return s
}

func wide(head int, s Shape) Shape {
	s.HeadDim = head
	return s
}

func experts(all, each, ff, shared int, s Shape) Shape {
	s.Experts, s.ExpertsPerToken, s.ExpertFF, s.SharedFF = all, each, ff, shared
	return s
}

// Active parameters of published mixtures.
func TestActive(t *testing.T) {
	for name, want := range map[string]int64{
		"mixtral-8x7b": 12_879_925_248, "mistral-7b": 7_241_732_096,
		"qwen1.5-moe-a2.7b": 2_689_173_504, "qwen3-30b-a3b": 3_353_032_704,
	} {
		for _, c := range published {
			if got := c.shape.Count().Active; c.name == name && got != want {
				t.Errorf("%s: %d active parameters, want %d", name, got, want)
			}
		}
	}
}

// TestCountsAreTheModels compares counts from sizes with the models themselves.
func TestCountsAreTheModels(t *testing.T) {
	if got, want := Families(), zoo.Families(); !slices.Equal(got, want) {
		t.Fatalf("families %v are planned, %v exist", got, want)
	}
	for _, family := range Families() {
		for _, kv := range []int{4, 2} {
			for _, tie := range []bool{false, true} {
				s := Shape{Family: family, Layers: 3, Width: 64, Heads: 4, KVHeads: kv, FF: 96, Vocab: 50, Context: 32, Tied: tie}
				if family == "gpt2" {
					s.KVHeads = 4
				} else {
					s.HeadDim = 8 * kv
				}
				m, err := zoo.FromShape(nil, zoo.Shape{
					Family: family, Layers: s.Layers, Width: s.Width, Heads: s.Heads, KVHeads: s.KVHeads, HeadDim: s.HeadDim,
					FF: s.FF, Vocab: s.Vocab, Context: s.Context, Untied: !tie,
				})
				if err != nil {
					t.Fatal(err)
				}
				n := s.Count()
				if got := model.Count(m); int64(got) != n.Total {
					t.Errorf("%s has %d parameters, the plan says %d: %+v", family, got, n.Total, n)
				}
				if parts := n.NonEmbedding() + n.Embedding + n.Positions + n.Unembedding; parts != n.Total || n.Active > n.Total || (n.Active < n.Total) != s.Mixture() {
					t.Errorf("%s: parts are %d, total %d, active %d", family, parts, n.Total, n.Active)
				}
			}
		}
	}
}

func TestPublishedCounts(t *testing.T) {
	for _, c := range published {
		t.Run(c.name, func(t *testing.T) {
			if err := c.shape.Validate(); err != nil {
				t.Fatal(err)
			}
			if got := c.shape.Count().Total; got != c.want {
				t.Errorf("%d parameters, want %d", got, c.want)
			}
		})
	}
}

// The feed-forward width 22,016 that is often printed for Llama-2 70B cannot be
// right: the model would have 55.89 billion parameters.
func TestCountFindsAWrongWidth(t *testing.T) {
	if got := llama(80, 8192, 22016, 64, 8, 32000).Count().Total; math.Round(float64(got)/1e7) != 5589 {
		t.Errorf("%d parameters, want 55.89 billion", got)
	}
}

func TestCountOptions(t *testing.T) {
	base := llama(2, 64, 192, 4, 2, 1000)
	n := base.Count()
	for _, c := range []struct {
		name   string
		change func(*Shape)
		more   int64
	}{
		{"tied", func(s *Shape) { s.Tied = true }, -64 * 1000},
		{"qkv bias", func(s *Shape) { s.QKVBias = true }, 2 * (64 + 2*32)},
		{"output bias", func(s *Shape) { s.OutBias = true }, 2 * 64},
		{"mlp bias", func(s *Shape) { s.MLPBias = true }, 2 * (192 + 192 + 64)},
		{"wide heads", func(s *Shape) { s.HeadDim = 32 }, 2 * 64 * (64 + 2*32 + 64)},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := base
			c.change(&s)
			got := s.Count()
			if got.Total-n.Total != c.more {
				t.Errorf("%d parameters more, want %d", got.Total-n.Total, c.more)
			}
			if parts := got.NonEmbedding() + got.Embedding + got.Positions + got.Unembedding; parts != got.Total {
				t.Errorf("parts are %d, total %d", parts, got.Total)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	good := llama(2, 64, 192, 4, 2, 1000)
	for _, c := range []struct {
		name   string
		change func(*Shape)
		want   string
	}{
		{"family", func(s *Shape) { s.Family = "mamba" }, `"mamba"`},
		{"no layers", func(s *Shape) { s.Layers = 0 }, "layers is 0"},
		{"context 0", func(s *Shape) { s.Context = 0 }, "context is 0"},
		{"heads", func(s *Shape) { s.Heads, s.KVHeads = 5, 5 }, "5 heads do not divide width 64"},
		{"kv heads", func(s *Shape) { s.KVHeads = 3 }, "3 key/value heads do not divide 4"},
		{"gpt2 with grouped queries", func(s *Shape) { s.Family = "gpt2" }, "gpt2 has as many"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := good
			c.change(&s)
			if err := s.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// countForward counts multiplications and additions by walking the matrices of
// one sequence, token by token.
func countForward(s Shape, T int) float64 {
	s = s.filled()
	mul := func(rows, in, out int) int { return 2 * rows * in * out }
	total := 0
	q, kv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	for range s.Layers {
		total += mul(T, s.Width, q+2*kv) + mul(T, q, s.Width)
		for t := range T {
			total += s.Heads * (mul(1, s.HeadDim, t+1) + mul(1, t+1, s.HeadDim))
		}
		if s.Family == "gpt2" {
			total += mul(T, s.Width, s.FF) + mul(T, s.FF, s.Width)
		} else {
			total += 2*mul(T, s.Width, s.FF) + mul(T, s.FF, s.Width)
		}
	}
	return float64(total + mul(T, s.Width, s.Vocab))
}

func TestFLOP(t *testing.T) {
	for _, s := range []Shape{gpt2(12, 768), llama(4, 256, 704, 8, 2, 4096)} {
		for _, T := range []int{1, 7, 256} {
			f := s.FLOP(T)
			want := countForward(s, T) / float64(T)
			if math.Abs(f.Forward-want) > 1e-9*want || f.Training != 3*f.Forward {
				t.Errorf("%s, T=%d: %+v, want forward %g", s.Family, T, f, want)
			}
		}
	}
	// For a large model 6N is the training cost but for attention and the
	// embedding that is only looked up.
	f := llama(32, 4096, 11008, 32, 0, 32000).FLOP(1)
	if r := f.Training / f.SixN; r < 0.975 || r > 1 {
		t.Errorf("Llama-2 7B: training %g of 6N", r)
	}
}

func TestCacheBytes(t *testing.T) {
	for _, c := range []struct {
		name  string
		shape Shape
		want  int64
	}{
		{"llama-2-7b", llama(32, 4096, 11008, 32, 0, 32000), 524_288},
		{"llama-3-8b", llama(32, 4096, 14336, 32, 8, 128256), 131_072},
		{"llama-2-70b", llama(80, 8192, 28672, 64, 8, 32000), 327_680},
	} {
		if got := c.shape.CacheBytesPerToken(2); got != c.want {
			t.Errorf("%s: %d bytes a token, want %d", c.name, got, c.want)
		}
	}
}

func TestTrainingMemory(t *testing.T) {
	s := gpt2(12, 768)
	n := s.Count().Total
	m := s.TrainingMemory(1024, MemoryOptions{})
	if state := m.Weights + m.Gradients + m.Optimizer; state != 16*n {
		t.Errorf("weights, gradients and moments take %d bytes, want 16 a parameter, %d", state, 16*n)
	}
	// By hand, bytes a token: a layer keeps streams 6144, norms 3072+16,
	// q k v and attention 6144, log-sums 48, GELU 12288; outside 9216+1536+8.
	if want := int64(1024 * (12*(6144+3072+16+6144+48+12288) + 9216 + 1536 + 8)); m.Activations != want {
		t.Errorf("activations %d, want %d", m.Activations, want)
	}
	if sum := m.Weights + m.Gradients + m.Optimizer + m.Activations + m.Logits + m.Backward + m.Packed; sum != m.Total {
		t.Errorf("parts are %d, total %d", sum, m.Total)
	}
	mixed := MemoryOptions{Weight: 6, Gradient: 2, Optimizer: 8} // bf16 weight and gradient, f32 master
	x := llama(32, 4096, 11008, 32, 0, 32000).TrainingMemory(1, mixed)
	if gb := float64(x.Weights+x.Gradients+x.Optimizer) / 1e9; math.Abs(gb-107.8) > 0.1 {
		t.Errorf("Llama-2 7B in mixed training: %.1f GB of state, want 16 bytes a parameter", gb)
	}
}

func within(got, want, share float64) bool { return math.Abs(got-want) <= share*math.Abs(want) }

func TestComputeOptimal(t *testing.T) {
	for _, c := range []struct {
		law        Law
		flop, n, d float64
	}{
		{HoffmannRounded, 1e19, 228e6, 7.31e9}, {HoffmannRounded, 1e21, 1.82e9, 91.4e9}, {HoffmannRounded, 5.76e23, 32.2e9, 2.98e12},
		{Hoffmann, 1e19, 271e6, 6.15e9}, {Hoffmann, 1e21, 2.22e9, 75.2e9}, {Hoffmann, 5.76e23, 40.4e9, 2.38e12},
		{Epoch, 1e19, 263e6, 6.35e9}, {Epoch, 1e21, 2.78e9, 59.9e9}, {Epoch, 5.76e23, 72.4e9, 1.33e12},
		{Muennighoff.Law, 5.76e23, 69.962e9, 1.3722e12},
	} {
		n, d := c.law.Optimal(c.flop)
		if !within(n, c.n, 0.005) || !within(d, c.d, 0.005) {
			t.Errorf("%s at %g: N %.4g, D %.4g; want %.4g, %.4g", c.law.Name, c.flop, n, d, c.n, c.d)
		}
		if !within(6*n*d, c.flop, 1e-12) {
			t.Errorf("%s at %g: 6ND is %g", c.law.Name, c.flop, 6*n*d)
		}
		if !within(c.law.OptimalN(d), n, 1e-9) {
			t.Errorf("%s: the N for %g tokens is %g, want %g", c.law.Name, d, c.law.OptimalN(d), n)
		}
		best := c.law.Loss(n, d)
		for _, f := range []float64{0.9, 1.1} {
			if c.law.Loss(n*f, d/f) <= best {
				t.Errorf("%s at %g: the loss is lower at %g N", c.law.Name, c.flop, f)
			}
		}
	}
	for _, c := range []struct {
		law  Law
		a, b float64
	}{{HoffmannRounded, .452, .548}, {Hoffmann, .457, .543}, {Epoch, .513, .487}} {
		if a, b := c.law.Exponents(); math.Abs(a-c.a) > 5e-4 || math.Abs(b-c.b) > 5e-4 {
			t.Errorf("%s: exponents %.4f, %.4f; want %.3f, %.3f", c.law.Name, a, b, c.a, c.b)
		}
	}
}

// The sums of Huber losses of log L that the replication gives for its 240
// points pin the digits of all coefficients.
func TestLawsOnChinchillaPoints(t *testing.T) {
	f, err := os.Open(golden.Data(t, "scaling", "chinchilla_svg_extracted_data.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := func(name string) int { return slices.Index(rows[0], name) }
	var points [][3]float64 // N, FLOP, loss
	for _, r := range rows[1:] {
		var p [3]float64
		for i, name := range []string{"Model Size", "Training FLOP", "loss"} {
			if p[i], err = strconv.ParseFloat(r[col(name)], 64); err != nil {
				t.Fatal(err)
			}
		}
		points = append(points, p)
	}
	slices.SortFunc(points, func(a, b [3]float64) int { return int(math.Copysign(1, a[2]-b[2])) })
	points = points[:len(points)-5]
	const delta = 1e-3
	for _, c := range []struct {
		law  Law
		want float64
	}{{Hoffmann, 0.0012311626}, {HoffmannRounded, 0.0041210091}, {Epoch, 0.0010186}} {
		sum := 0.0
		for _, p := range points {
			r := math.Abs(math.Log(p[2]) - math.Log(c.law.Loss(p[0], p[1]/(6*p[0]))))
			if r <= delta {
				sum += r * r / 2
			} else {
				sum += delta * (r - delta/2)
			}
		}
		if math.Abs(sum-c.want) > 6e-8 {
			t.Errorf("%s: Huber sum %.10f, want %.10f", c.law.Name, sum, c.want)
		}
	}
}

func TestDataConstrained(t *testing.T) {
	for _, c := range []struct{ n, d, unique, want float64 }{
		{6.34e9, 242e9, 25e9, 2.2256440889984477},
		{8.67e9, 178e9, 25e9, 2.2269634075087867},
	} {
		if got := Muennighoff.Loss(c.n, c.d, c.unique); !within(got, c.want, 1e-15) {
			t.Errorf("L(%g, %g, %g) = %.17g, want %.17g", c.n, c.d, c.unique, got, c.want)
		}
	}
	n, d := Muennighoff.Optimal(1e22, 25e9)
	if !within(n, 7.022e9, 1e-3) || !within(d, 237.34e9, 1e-3) || !within(d/25e9, 9.493, 1e-3) {
		t.Errorf("1e22 FLOP on 25 G tokens: N %.5g, D %.5g", n, d)
	}
	n, d = Muennighoff.Optimal(1e22, 1e15) // plenty of data: the base law
	n0, d0 := Muennighoff.Law.Optimal(1e22)
	if !within(n, n0, 1e-6) || !within(d, d0, 1e-6) {
		t.Errorf("with plenty of data N %g, D %g; want %g, %g", n, d, n0, d0)
	}
	for _, c := range []struct{ epochs, want float64 }{{1, 1}, {2, 1.968}, {4, 3.726}, {8, 6.624}, {16, 10.58}, {40, 15.17}, {1e6, 16.39}} {
		if got := Muennighoff.EffectiveData(c.epochs, 1); !within(got, c.want, 5e-4) {
			t.Errorf("%g epochs are worth %.4f, want %.4f", c.epochs, got, c.want)
		}
	}
	if got := Muennighoff.EffectiveData(0.5, 1); got != 0.5 {
		t.Errorf("half of the data is worth %g", got)
	}
}
