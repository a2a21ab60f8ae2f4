//go:build slow

package grammar

// everyBudget: long tests try each budget and text.
const everyBudget = true
