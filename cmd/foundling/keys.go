package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/foundling-lm/foundling/serve/keys"
)

type keysCmds struct {
	Add    keysAddCmd    `cmd:"" help:"Make a key and show it, once."`
	List   keysListCmd   `cmd:"" help:"List keys, without their secrets."`
	Revoke keysRevokeCmd `cmd:"" help:"Delete a key: running servers refuse it within a second."`
}

// keysFile is the flag of all commands that read or change keys.
type keysFile struct {
	Keys string `help:"File of the keys, that of serve --keys." required:"" type:"filled" placeholder:"FILE"`
}

type keysAddCmd struct {
	Name       string        `arg:"" help:"Whose key it is."`
	Scope      []string      `help:"What it allows: infer (texts, scores), memory, metrics, admin (everything). Repeat it for more." default:"infer"`
	Requests   int           `help:"Requests a minute; 0: no limit." placeholder:"N"`
	Tokens     int           `help:"Tokens a minute, of prompts and texts; 0: no limit." placeholder:"N"`
	Concurrent int           `help:"Requests at a time; 0: no limit." placeholder:"N"`
	Expires    time.Duration `help:"How long it is good for, as 720h; 0: until it is revoked." placeholder:"TIME"`
	Inherit    bool          `help:"The name may be that of a key that is there or was: the new one sees what is kept for it, as a second key of one owner is to."`
	keysFile
}

// Help is the detail of --help.
func (keysAddCmd) Help() string {
	return `The key is printed once, and the file holds its SHA-256 only. The file is made where
it does not exist. Servers that run with it take the key within a second. Votes, facts and
answers are kept for a name: one that another key has or had needs --inherit.

Example:

    foundling keys add --keys keys.json --requests 60 --concurrent 4 laptop`
}

// Run adds a key.
func (c *keysAddCmd) Run() error {
	k := keys.Key{Name: c.Name, Limits: keys.Limits{Requests: c.Requests, Tokens: c.Tokens, Concurrent: c.Concurrent}}
	for _, s := range c.Scope {
		k.Scopes = append(k.Scopes, keys.Scope(s))
	}
	if c.Expires < 0 {
		return usageError{fmt.Errorf("--expires is %v: it must be positive", c.Expires)}
	}
	if c.Expires > 0 {
		k.Expires = time.Now().Add(c.Expires).UTC().Truncate(time.Second)
	}
	k, secret, err := keys.New(k)
	if err != nil {
		return usageError{err}
	}
	switch err := keys.Add(c.Keys, k, c.Inherit); {
	case errors.Is(err, keys.ErrTaken):
		return usageError{fmt.Errorf("%w: choose another name, or give --inherit if that is meant", err)}
	case err != nil:
		return err
	}
	fmt.Fprintf(os.Stderr, "key %s of %s, shown this once:\n", k.ID, k.Name)
	fmt.Println(secret)
	return nil
}

type keysListCmd struct{ keysFile }

// Run prints a table.
func (c *keysListCmd) Run() error {
	all, err := keys.Read(c.Keys)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "id\tname\tscopes\trequests/min\ttokens/min\tat a time\tcreated\texpires")
	for _, k := range all {
		var scopes []string
		for _, s := range k.Scopes {
			scopes = append(scopes, string(s))
		}
		expires := "never"
		if !k.Expires.IsZero() {
			expires = k.Expires.Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, strings.Join(scopes, ","),
			limit(k.Requests), limit(k.Tokens), limit(k.Concurrent), k.Created.Format(time.DateTime), expires)
	}
	return w.Flush()
}

func limit(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

type keysRevokeCmd struct {
	ID string `arg:"" help:"The key's id, as list shows it."`
	keysFile
}

// Run deletes a key.
func (c *keysRevokeCmd) Run() error {
	k, err := keys.Revoke(c.Keys, c.ID)
	if err != nil {
		return fmt.Errorf("%w: foundling keys list shows those that there are", err)
	}
	fmt.Printf("revoked %s of %s\n", k.ID, k.Name)
	return nil
}
