package serve

import (
	"context"
	"slices"

	"github.com/foundling-lm/foundling/serve/keys"
)

// Caller is who sends a request.
type Caller struct {
	Name  string // "": nobody in particular
	Admin bool   // may change what is served

	scopes []keys.Scope
}

// allows says whether the caller may do what a scope is for.
func (c Caller) allows(s keys.Scope) bool { return c.Admin || slices.Contains(c.scopes, s) }

type callerKey struct{}

func withCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// callerOf is the sender of the request that ctx belongs to. Where nobody asks for keys
// it is the owner of the machine.
func callerOf(ctx context.Context) Caller {
	if c, ok := ctx.Value(callerKey{}).(Caller); ok {
		return c
	}
	return Caller{Admin: true}
}
