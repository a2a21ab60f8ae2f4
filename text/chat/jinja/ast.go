package jinja

// expr is an expression; where is its byte in the source.
type expr interface{ where() int }

// place is the byte in the source where an expression or statement begins.
type place int

func (p place) where() int { return int(p) }

type (
	constant struct {
		place
		value Value
	}
	name struct {
		place
		name string
	}
	listExpr struct {
		place
		items []expr
		tuple bool
	}
	dictExpr struct {
		place
		keys, values []expr
	}
	// unary is "not", "-" or "+".
	unary struct {
		place
		op string
		x  expr
	}
	// binary is arithmetic, "~", "and" or "or".
	binary struct {
		place
		op   string
		x, y expr
	}
	// comparison is x op y op z ..., true where each pair holds.
	comparison struct {
		place
		x   expr
		ops []string
		ys  []expr
	}
	// conditional is "x if test else y"; y may be nil.
	conditional struct {
		place
		test, x, y expr
	}
	attribute struct {
		place
		x    expr
		name string
	}
	item struct {
		place
		x, key expr
	}
	// sliceExpr is [from:to:step]; each may be nil.
	sliceExpr struct {
		place
		from, to, step expr
	}
	call struct {
		place
		f    expr
		args arguments
	}
	// filter is "x|name(args)"; x is nil at the beginning of a filter or set
	// block.
	filter struct {
		place
		x    expr
		name string
		args arguments
	}
	// test is "x is name(args)".
	test struct {
		place
		x      expr
		name   string
		args   arguments
		negate bool
	}
)

// arguments of a call.
type arguments struct {
	positional []expr
	names      []string
	named      []expr
	list, dict expr // *list, **dict
}

// stmt is a statement.
type stmt interface{ where() int }

type (
	dataStmt struct {
		place
		text string
	}
	printStmt struct {
		place
		x expr
	}
	ifStmt struct {
		place
		tests  []expr
		bodies [][]stmt
		or     []stmt
	}
	forStmt struct {
		place
		target    expr
		list      expr
		filter    expr // or nil
		body, or  []stmt
		recursive bool
	}
	setStmt struct {
		place
		target, x expr
	}
	// setBlock captures its body.
	setBlock struct {
		place
		target expr
		filter expr // or nil
		body   []stmt
	}
	macroStmt struct {
		place
		name  string
		macro *macro
	}
	callBlock struct {
		place
		call  *call
		macro *macro
	}
	filterBlock struct {
		place
		filter expr
		body   []stmt
	}
	withStmt struct {
		place
		targets, values []expr
		body            []stmt
	}
	generationStmt struct {
		place
		body []stmt
	}
	// jumpStmt is break or continue.
	jumpStmt struct {
		place
		how jump
	}
)

// macro is a function of the template. The body may ask for all its arguments.
type macro struct {
	name                     string
	params                   []string
	defaults                 []expr // of the last parameters
	body                     []stmt
	varargs, kwargs, callers bool
}
