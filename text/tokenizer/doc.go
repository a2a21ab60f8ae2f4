// Package tokenizer turns text into token ids and back: byte-level BPE, plain
// bytes, and characters.
//
// The central type is Tokenizer. Train learns one from text, Load and Save
// read and write Hugging Face tokenizer.json, Bytes and Chars make one without
// training. Every text round-trips, invalid UTF-8 included: a byte that is part
// of no larger token is a token of its own.
//
// Text is first cut into pieces by a pre-tokenisation pattern (GPT-2, GPT-4 and
// their relatives), then each piece is merged on its own. The patterns are
// matched by hand-written scanners that look at each character a bounded number
// of times; there is no regular expression engine here.
//
// Not here: SentencePiece, unigram and WordPiece models, vocabularies inside
// GGUF files, chat templates.
//
// Sources: Sennrich et al. 2016 (arXiv 1508.07909), algorithm 1, for BPE;
// Radford et al. 2019 (GPT-2), section 2.2, for bytes as the base alphabet.
package tokenizer
