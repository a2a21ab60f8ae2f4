package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/foundling-lm/foundling/internal/atomicfile"
	"github.com/foundling-lm/foundling/text/chat"
	"github.com/foundling-lm/foundling/text/dataset"
	"github.com/foundling-lm/foundling/text/dataset/label"
)

type dataLabelCmd struct {
	Path     string `arg:"" help:"File of records, or a folder of them." placeholder:"PATH"`
	Labels   string `help:"File that labels are added to, a JSON object a line. Default: PATH with .labels.jsonl." placeholder:"FILE"`
	Labeller string `help:"Who labels. Default: $USER." env:"USER" placeholder:"NAME"`
	Grade    bool   `help:"Grade answers one by one from 1 to 5, also those of preferences, instead of choosing between two."`
	N        int    `name:"n" help:"Labels to ask for; 0: all that are missing." default:"0"`
	Seed     uint64 `help:"Seed of the order in which the two answers are shown." default:"1"`
	Report   bool   `help:"Ask nothing; report agreement, time per label and position bias of all labellers."`
	Export   string `help:"Ask nothing; write what most labellers said as records: preferences, or answers with their mean score." placeholder:"FILE"`
	JSON     bool   `name:"json" help:"With --report: print one JSON object."`
	recordFlags
}

// Help is the detail of --help.
func (dataLabelCmd) Help() string {
	return `Answers, each with Enter: a or b, the better one; t, a tie; s, skip; 1 to 5 with --grade;
u takes the last label back; q ends. Which answer is shown as A is drawn for each item and
labeller. A label is on the disk before the next item is shown, and the same command goes
on with the items that the labeller has not labelled. Without a terminal the answers are
read from standard input, a line each.

Examples:

    foundling data label pairs.jsonl --labeller anna
    foundling data label pairs.jsonl --labeller ben --n 50
    foundling data label pairs.jsonl --report
    foundling data label pairs.jsonl --export better.jsonl
    foundling data label answers.jsonl --grade --labels grades.jsonl`
}

// Validate is called by kong.
func (c *dataLabelCmd) Validate() error {
	switch {
	case c.N < 0:
		return errors.New("--n must not be negative")
	case c.Report && c.Export != "":
		return errors.New("--report and --export cannot be together")
	case c.JSON && !c.Report:
		return errors.New("--json is of --report")
	case !c.Report && c.Export == "" && c.Labeller == "":
		return errors.New("nobody labels: name the labeller with --labeller")
	}
	return nil
}

// Run asks, reports or exports.
func (c *dataLabelCmd) Run(ctx context.Context) error {
	if c.Labels == "" {
		c.Labels = strings.TrimSuffix(c.Path, "/") + ".labels.jsonl"
	}
	items, err := c.items(ctx)
	if err != nil {
		return err
	}
	if c.Report || c.Export != "" {
		labels, broken, err := label.Read(c.Labels)
		if err != nil {
			return fmt.Errorf("--labels: %w", err)
		}
		labels = c.known(labels, broken, items)
		if c.Report {
			return c.report(label.Measure(labels))
		}
		return c.export(label.Verdicts(labels), items)
	}
	return c.ask(ctx, items)
}

// items are those to label, without repetitions.
func (c *dataLabelCmd) items(ctx context.Context) ([]label.Item, error) {
	var items []label.Item
	seen := map[string]bool{}
	found, err := c.each(ctx, []string{c.Path}, nil, func(r dataset.Record) (bool, error) {
		for _, it := range label.Items(r, c.Grade) {
			if it.Pair() != c.Grade && !seen[it.ID] {
				seen[it.ID] = true
				items = append(items, it)
			}
		}
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	found.describe()
	if len(items) == 0 && !c.Grade {
		return nil, fmt.Errorf("%s holds no pair of answers: give records with chosen and rejected, or grade answers one by one with --grade", c.Path)
	} else if len(items) == 0 {
		return nil, found.nothing([]string{c.Path})
	}
	return items, nil
}

// known leaves out the labels of items that are not there, and says so.
func (c *dataLabelCmd) known(labels []label.Label, broken int, items []label.Item) []label.Label {
	there := map[string]bool{}
	for _, it := range items {
		there[it.ID] = true
	}
	var out []label.Label
	for _, l := range labels {
		if there[l.Item] {
			out = append(out, l)
		}
	}
	if n := len(labels) - len(out); n > 0 {
		fmt.Fprintf(os.Stderr, "%d labels of %s are of other items and left out\n", n, c.Labels)
	}
	if broken > 0 {
		fmt.Fprintf(os.Stderr, "%d lines of %s are no labels and left out\n", broken, c.Labels)
	}
	return out
}

// session is one sitting of a labeller.
type session struct {
	c     *dataLabelCmd
	f     *label.File
	in    *bufio.Reader
	out   io.Writer
	items []label.Item
	done  []int // items labelled in this session, to take back
}

// ask shows the items that the labeller has not labelled.
func (c *dataLabelCmd) ask(ctx context.Context, items []label.Item) (err error) {
	f, labels, broken, err := label.Open(c.Labels)
	if err != nil {
		return fmt.Errorf("--labels: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	mine := map[string]bool{}
	for _, l := range c.known(labels, broken, items) {
		if l.Labeller == c.Labeller {
			mine[l.Item] = true
		}
	}
	s := &session{c: c, f: f, in: bufio.NewReader(interruptible(ctx, os.Stdin)), out: os.Stdout}
	for _, it := range items {
		if !mine[it.ID] {
			s.items = append(s.items, it)
		}
	}
	fmt.Fprintf(s.out, "%s: %d items, %d labelled by %s before\n", c.Path, len(items), len(mine), printable(c.Labeller))
	if err := s.run(); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%d labels saved to %s, %d items left\n", len(s.done), c.Labels, len(s.items)-len(s.done))
	return nil
}

func (s *session) run() error {
	for at := 0; at < len(s.items) && (s.c.N == 0 || len(s.done) < s.c.N); {
		answer, err := s.one(s.items[at])
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch answer {
		case "q":
			return nil
		case "u":
			if len(s.done) == 0 {
				fmt.Fprintln(s.out, "there is no label of this session to take back")
				continue
			}
			at = s.done[len(s.done)-1]
			s.done = s.done[:len(s.done)-1]
		default:
			s.done = append(s.done, at)
			at++
		}
	}
	return nil
}

// one shows an item and saves the answer, unless it is u or q.
func (s *session) one(it label.Item) (string, error) {
	swapped := it.Pair() && label.Swapped(s.c.Seed, s.c.Labeller, it.ID)
	s.show(it, swapped)
	begin := time.Now()
	for {
		fmt.Fprint(s.out, map[bool]string{true: "a, b, t(ie), s(kip), u(ndo), q(uit)> ", false: "1-5, s(kip), u(ndo), q(uit)> "}[it.Pair()])
		line, err := s.in.ReadString('\n')
		if err != nil && (!errors.Is(err, io.EOF) || strings.TrimSpace(line) == "") {
			fmt.Fprintln(s.out)
			return "", err
		}
		answer := strings.ToLower(strings.TrimSpace(line))
		l := label.Label{Item: it.ID, Source: it.Source, Labeller: s.c.Labeller, Swapped: swapped,
			Seconds: float64(time.Since(begin).Milliseconds()) / 1000, Time: time.Now().UTC().Format(time.RFC3339)}
		switch {
		case answer == "u" || answer == "q":
			return answer, nil
		case answer == "s":
			l.Choice = label.Skip
		case it.Pair() && answer == "t":
			l.Choice = label.Tie
		case it.Pair() && (answer == "a" || answer == "b"):
			if l.Choice = label.First; (answer == "b") != swapped {
				l.Choice = label.Second
			}
		case !it.Pair() && len(answer) == 1 && answer[0] >= '1' && answer[0] <= '5':
			l.Score = int(answer[0] - '0')
		default:
			fmt.Fprintf(s.out, "%q is none of the answers\n", printable(answer))
			continue
		}
		if err := s.f.Add(l); err != nil {
			return "", fmt.Errorf("the label is not saved: %w", err)
		}
		return answer, nil
	}
}

// show writes the prompt and the answers, without control characters.
func (s *session) show(it label.Item, swapped bool) {
	fmt.Fprintf(s.out, "\n--- %s\n", printable(it.Source))
	for _, m := range it.Prompt.Conversation(chat.RoleUser) {
		fmt.Fprintf(s.out, "%s: %s\n", printable(m.Role), printable(m.Content))
	}
	if !it.Pair() {
		fmt.Fprintf(s.out, "\nanswer: %s\n\n", printable(it.Answers[0].String()))
		return
	}
	a, b := it.Answers[0], it.Answers[1]
	if swapped {
		a, b = b, a
	}
	fmt.Fprintf(s.out, "\nA: %s\n\nB: %s\n\n", printable(a.String()), printable(b.String()))
}

// export writes the verdicts as records.
func (c *dataLabelCmd) export(verdicts []label.Verdict, items []label.Item) error {
	by := map[string]label.Verdict{}
	for _, v := range verdicts {
		by[v.Item] = v
	}
	var out []byte
	written, ties := 0, 0
	for _, it := range items {
		v, ok := by[it.ID]
		if !ok {
			continue
		}
		r := dataset.Record{Kind: dataset.Preference, Prompt: it.Prompt}
		switch {
		case !it.Pair():
			r.Kind, r.Completion, r.Score = dataset.Scored, it.Answers[0], &v.Score
		case v.Choice == label.Tie:
			ties++
			continue
		default:
			r.Chosen, r.Rejected = it.Answers[0], it.Answers[1]
			if v.Choice == label.Second {
				r.Chosen, r.Rejected = r.Rejected, r.Chosen
			}
		}
		var err error
		if out, err = r.AppendRow(out); err != nil {
			return err
		}
		written++
	}
	if err := atomicfile.WriteFile(c.Export, out); err != nil {
		return err
	}
	fmt.Printf("%d records written to %s, %d ties left out, %d items without a label\n", written, c.Export, ties, len(items)-written-ties)
	return nil
}

// report prints agreement, time and bias.
func (c *dataLabelCmd) report(r label.Report) error {
	if c.JSON {
		data, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Println(string(data))
		return err
	}
	return printLabels(os.Stdout, r)
}
