package ref_test

import (
	"testing"

	"github.com/foundling-lm/foundling/tensor/ref"
	"github.com/foundling-lm/foundling/tensor/tensortest"
)

func TestConformance(t *testing.T) {
	tensortest.Run(t, ref.New(), tensortest.Bounds{Wide: 1e-7, Narrow: 1e-7})
}
