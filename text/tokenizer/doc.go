// Package tokenizer turns text into token ids and back.
//
// The central type is Tokenizer, of one of these kinds: byte-level BPE, BPE over
// characters and unigram models (SentencePiece), WordPiece, and the longest match
// of RWKV. Load reads tokenizer.json, tokenizer.model, tiktoken's ranks and RWKV's
// vocabulary, FromGGUF the metadata of a GGUF file; Train learns byte-level BPE,
// Bytes and Chars need no training. Save writes tokenizer.json.
//
// Encode takes special tokens in the text for text, EncodeSpecial reads them.
// Byte-level vocabularies and those with byte tokens keep every text, invalid
// UTF-8 included; others lose what they have no token for.
//
// Text is cut into pieces by a pre-tokenisation pattern and each piece is
// encoded on its own. The patterns of common families are matched by
// hand-written scanners that look at each character a bounded number of times;
// unknown ones in tokenizer.json run on a backtracking engine, which is slow.
//
// Not here: chat templates, WordLevel models, BPE with suffixes of words (CLIP),
// the training of anything but byte-level BPE.
//
// Sources: Sennrich et al. 2016 (arXiv 1508.07909), algorithm 1, for BPE;
// Radford et al. 2019 (GPT-2), section 2.2, for bytes as the base alphabet. Kinds
// and formats cite theirs where they are defined.
package tokenizer
