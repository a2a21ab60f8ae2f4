package eval

import (
	"context"
	"fmt"
	"math"

	"github.com/foundling-lm/foundling/generate"
)

// PerplexityOptions say how a long text is cut into windows that the model reads
// one by one. The zero value takes windows as long as the model's context, half
// of which repeats what the window before has scored.
type PerplexityOptions struct {
	Context int // tokens of a window; 0: the model's context
	Stride  int // tokens from a window to the next; 0: half a window
	// Halves is llama.cpp's way of counting (its perplexity tool): windows do not
	// overlap, only tokens of the second half of each count, and a rest that fills
	// no window is left out. Stride must be 0.
	Halves bool
	// Start replaces the first token of each window in llama.cpp's way of counting;
	// negative: nothing does.
	Start int32
}

// Perplexity is how well a model foretells a text.
type Perplexity struct {
	Tokens, Bytes, Windows int          // that were counted
	NLL                    float64      // mean of -ln p a token
	PerToken               Interval     // the perplexity exp(NLL), 95 %
	BitsPerByte            Interval     // 95 %; unlike perplexity, for models of any vocabulary
	StandardError          float64      // of PerToken if tokens were independent, as llama.cpp prints it
	Parts                  []WindowPart // of the windows
}

// WindowPart is what a window adds.
type WindowPart struct {
	From, To    int // tokens of the text that counted
	Bits, Bytes float64
}

// window is tokens [from, to) of the text, of which those from score on count.
type window struct{ from, score, to int }

func (o PerplexityOptions) windows(n, most int) ([]window, error) {
	size, stride := o.Context, o.Stride
	if size == 0 {
		size = most
	}
	if stride == 0 {
		stride = max(1, size/2)
	}
	switch {
	case size < 2 || size > most:
		return nil, fmt.Errorf("windows of %d tokens: the model takes 2 to %d", size, most)
	case stride < 1 || stride > size:
		return nil, fmt.Errorf("a stride of %d tokens with windows of %d: it must be 1 to %d", stride, size, size)
	case o.Halves && o.Stride != 0:
		return nil, fmt.Errorf("counting second halves has no stride: windows follow each other")
	case o.Halves && n < 2*size:
		return nil, fmt.Errorf("the text has %d tokens: counting second halves needs two windows of %d", n, size)
	case n < 2:
		return nil, fmt.Errorf("the text has %d tokens: perplexity needs two", n)
	}
	var ws []window
	if o.Halves {
		for i := 0; i+size <= n; i += size {
			ws = append(ws, window{i, i + size/2 + 1, i + size})
		}
		return ws, nil
	}
	for i, done := 0, 1; done < n; i += stride {
		to := min(n, i+size)
		if from := max(done, i+1); from < to { // the first of a window has no probability
			ws = append(ws, window{i, from, to})
		}
		done = to
	}
	return ws, nil
}

// windowsAtATime is how many windows are scored between two looks at the context.
const windowsAtATime = 8

// MeasurePerplexity scores ids, a text of a model whose context is most tokens;
// size is the bytes of a token. The intervals are bootstraps over windows, since
// neighbouring tokens hang together; with one window they are one point.
func MeasurePerplexity(ctx context.Context, e *generate.Engine, ids []int32, most int, size func(id int32) int, o PerplexityOptions) (*Perplexity, error) {
	ws, err := o.windows(len(ids), most)
	if err != nil {
		return nil, err
	}
	p := &Perplexity{Windows: len(ws)}
	nats, tokens, bytes := make([]float64, len(ws)), make([]float64, len(ws)), make([]float64, len(ws))
	var sum, squares float64
	for lo := 0; lo < len(ws); lo += windowsAtATime {
		part := ws[lo:min(len(ws), lo+windowsAtATime)]
		texts := make([][]int32, len(part))
		for i, w := range part {
			texts[i] = append([]int32{}, ids[w.from:w.to]...)
			if o.Halves && o.Start >= 0 {
				texts[i][0] = o.Start
			}
		}
		scores, err := e.ScoreAll(ctx, texts, 0)
		if err != nil {
			return nil, err
		}
		for i, w := range part {
			for t := w.score; t < w.to; t++ {
				x := -scores[i].LogProbs[t-w.from-1]
				if math.IsNaN(x) {
					return nil, fmt.Errorf("token %d: %w", t, generate.ErrNoLogits)
				}
				nats[lo+i], sum, squares = nats[lo+i]+x, sum+x, squares+x*x
				bytes[lo+i] += float64(size(ids[t]))
			}
			tokens[lo+i] = float64(w.to - w.score)
			p.Tokens, p.Bytes = p.Tokens+w.to-w.score, p.Bytes+int(bytes[lo+i])
		}
	}
	n := float64(p.Tokens)
	p.NLL = sum / n
	p.PerToken = BootstrapRatio(nats, tokens, bootstrapDraws, 0.95, 1)
	for _, x := range []*float64{&p.PerToken.Value, &p.PerToken.Low, &p.PerToken.High} {
		*x = math.Exp(*x)
	}
	p.PerToken.N = p.Tokens
	for i, w := range ws {
		nats[i] /= math.Ln2
		p.Parts = append(p.Parts, WindowPart{w.score, w.to, nats[i], bytes[i]})
	}
	p.BitsPerByte = BootstrapRatio(nats, bytes, bootstrapDraws, 0.95, 1)
	if p.Tokens > 1 {
		p.StandardError = p.PerToken.Value * math.Sqrt(max(0, squares/n-p.NLL*p.NLL)/(n-1))
	}
	return p, nil
}

// bootstrapDraws is the number of resamples behind an interval.
const bootstrapDraws = 2000

// Forgotten is by how many bits per byte after foretells a text worse than before,
// with a paired interval: a bootstrap over windows, which both were measured on.
// Without ok they were not: tokenizers or windows differ.
func Forgotten(before, after *Perplexity) (_ Interval, ok bool) {
	if len(before.Parts) != len(after.Parts) {
		return Interval{}, false
	}
	var bits, bytes []float64
	for i, a := range before.Parts {
		b := after.Parts[i]
		if a.From != b.From || a.To != b.To || a.Bytes != b.Bytes {
			return Interval{}, false
		}
		bits, bytes = append(bits, b.Bits-a.Bits), append(bytes, a.Bytes)
	}
	return BootstrapRatio(bits, bytes, bootstrapDraws, 0.95, 1), true
}
