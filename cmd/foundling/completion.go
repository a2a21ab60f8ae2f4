package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd prints a script that completes commands and flags.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the detail of --help.
func (completionCmd) Help() string {
	return `Examples:

    source <(foundling completion bash)
    foundling completion zsh > "${fpath[1]}/_foundling"
    foundling completion fish > ~/.config/fish/completions/foundling.fish`
}

// Run prints the script, made from the commands and flags that exist.
func (c *completionCmd) Run(k *kong.Context) error {
	words := map[string][]string{} // command path -> what may follow it
	var paths []string
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		paths = append(paths, path)
		for _, child := range n.Children {
			if !child.Hidden {
				words[path] = append(words[path], child.Name)
				walk(child, strings.TrimSpace(path+" "+child.Name))
			}
		}
		last := n
		if n.DefaultCmd != nil { // what runs without a further word
			last = n.DefaultCmd
		}
		for _, group := range last.AllFlags(true) {
			for _, f := range group {
				words[path] = append(words[path], "--"+f.Name)
			}
		}
		for _, a := range n.Positional {
			if a.Enum != "" {
				words[path] = append(words[path], strings.Split(a.Enum, ",")...)
			}
		}
	}
	walk(k.Model.Node, "")
	switch c.Shell {
	case "fish":
		printFish(paths, words)
	case "zsh":
		fmt.Print("#compdef foundling\nautoload -U +X bashcompinit && bashcompinit\n")
		printBash(paths, words)
	default:
		printBash(paths, words)
	}
	return nil
}

// printBash chooses the words by the commands typed so far; other words are
// file names.
func printBash(paths []string, words map[string][]string) {
	fmt.Print("_foundling() {\n\tlocal word path=\"\" i\n\tfor ((i = 1; i < COMP_CWORD; i++)); do\n\t\tword=\"${COMP_WORDS[i]}\"\n\t\tcase \"$path $word\" in\n")
	for _, p := range paths[1:] {
		parent, name := "", p
		if i := strings.LastIndexByte(p, ' '); i >= 0 {
			parent, name = p[:i], p[i+1:]
		}
		fmt.Printf("\t\t%q) path=%q ;;\n", parent+" "+name, p)
	}
	fmt.Print("\t\tesac\n\tdone\n\tcase \"$path\" in\n")
	for _, p := range paths {
		fmt.Printf("\t%q) COMPREPLY=($(compgen -W %q -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n", p, strings.Join(words[p], " "))
	}
	fmt.Print("\tesac\n}\ncomplete -o default -F _foundling foundling\n")
}

func printFish(paths []string, words map[string][]string) {
	for _, p := range paths {
		condition := "__fish_use_subcommand"
		if p != "" {
			condition = "__fish_seen_subcommand_from " + strings.ReplaceAll(p, " ", "; and __fish_seen_subcommand_from ")
		}
		for _, w := range words[p] {
			if flag, ok := strings.CutPrefix(w, "--"); ok {
				fmt.Fprintf(os.Stdout, "complete -c foundling -n %q -l %s\n", condition, flag)
			} else {
				fmt.Fprintf(os.Stdout, "complete -c foundling -f -n %q -a %s\n", condition, w)
			}
		}
	}
}
