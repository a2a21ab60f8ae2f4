// Package repair makes JSON and YAML out of text that is nearly JSON or YAML,
// as language models write it, and repeats a generation until its answer is
// valid.
//
// JSON reads the text with a tolerant parser that notes edits of the input, so
// everything that is not broken stays byte for byte, white space included. The
// log of changes is exact: Apply(input, changes) is the output. Valid JSON is
// returned as it is. Output always parses; where nothing can be made of the
// text, the answer is an error. YAML works line by line and asks a YAML parser
// after each step.
//
// What is not done: values are not invented. A value that is missing becomes
// null, and a property that a schema requires is added only where the schema
// has a default. Text that was cut off is closed, not continued.
//
// # Confidence
//
// Result.Confidence estimates the probability that the output means what the
// writer meant: the share of repairs with the same kinds of changes that gave
// the original back, measured over seeded corruptions of documents, those that
// cannot be undone included. 1 is text that was valid. It knows no more than
// the kinds of changes; a high value is no promise about content.
//
// # Cost
//
// Time is linear: looking ahead has a budget of a fixed number of bytes for
// each byte of input, and the first reading is taken once it is spent. Nesting
// and input size are limited (see Options).
package repair
