//go:build !slow

package grammar

// everyBudget says whether long tests try each budget and text; with -tags slow they do.
const everyBudget = false
