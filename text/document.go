// Package text holds what every part of the text floor shares: the Document
// and streams of documents.
//
// The packages below it read documents (corpus), turn them into ids
// (tokenizer) and lay ids out for training (batch). Nothing here knows of
// numbers, tensors or models; ids leave the floor as plain []int32.
package text

import "iter"

// Document is one text with its provenance. It is a value: readers hand it on
// and keep no reference to its fields.
type Document struct {
	// ID names the document for good: the path it was opened by, with
	// slashes, and "#" and the 1-based line number for a record of a file of
	// records.
	ID string
	// Source is the path of its file relative to the root it was found under,
	// with slashes.
	Source string
	// Kind is the kind of file: "go", "python", "text", "markdown", "jsonl" and
	// so on.
	Kind string
	// Text is the whole text. It is valid UTF-8 unless the reader was told to
	// keep other bytes.
	Text string
	// Meta holds small facts found on the way, such as "licence",
	// "generated" and "invalid_bytes". It may be nil.
	Meta map[string]string
	// Prompt and Response are set only for a record that carries both; Text
	// then joins them.
	Prompt, Response string
}

// TailMark ends the ID of a document that is the end of a longer one, cut off to
// be held out: the rest of its file is a document of its own.
const TailMark = "^"

// Stream yields documents in an order that its source fixes. After an error
// the stream ends.
type Stream = iter.Seq2[Document, error]
