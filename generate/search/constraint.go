package search

// Constraint says which ids may follow, as in package generate.
type Constraint interface {
	Mask(remaining int) ([]uint64, error)
	Accept(id int32) error
	Fork() Constraint
}
