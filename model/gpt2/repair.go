package gpt2

import "strings"

func repair(name string) string {
	switch {
	case strings.HasSuffix(name, ".attn.bias"), strings.HasSuffix(name, ".attn.masked_bias"), name == "lm_head.weight":
		return ""
	case strings.HasPrefix(name, "transformer."):
		return name
	}
	return "transformer." + name
}
