//go:build slow

package grammar

const everyBudget = true
