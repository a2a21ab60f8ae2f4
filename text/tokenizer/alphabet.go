package tokenizer

import "strings"

// The byte alphabet of GPT-2 writes each byte as a printable character:
// printable Latin-1 bytes are themselves, the others take the code points from
// 256 on in order (openai/gpt-2, encoder.py, bytes_to_unicode).

// byteToChar is the character for each byte, charToByte its inverse (-1 where
// there is none).
var byteToChar, charToByte = func() (to [256]rune, from [256 + 68]int16) {
	for i := range from {
		from[i] = -1
	}
	next := rune(256)
	for b := range to {
		printable := '!' <= b && b <= '~' || 0xA1 <= b && b <= 0xAC || 0xAE <= b
		if to[b] = rune(b); !printable {
			to[b] = next
			next++
		}
		from[to[b]] = int16(b)
	}
	return to, from
}()

// spell writes bytes in the alphabet.
func spell(bytes string) string {
	var b strings.Builder
	for i := range len(bytes) {
		b.WriteRune(byteToChar[bytes[i]])
	}
	return b.String()
}

// unspell reads bytes written in the alphabet; false when a character is not in
// it.
func unspell(chars string) (string, bool) {
	out := make([]byte, 0, len(chars))
	for _, r := range chars {
		if int(r) >= len(charToByte) || charToByte[r] < 0 {
			return "", false
		}
		out = append(out, byte(charToByte[r]))
	}
	return string(out), true
}
