package jinja

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// TestAgainstJinja2 compares with what Python's Jinja2 made of the same
// templates; where it refuses a template, so must Parse or Render.
func TestAgainstJinja2(t *testing.T) {
	var golden struct {
		Renders []struct {
			Template string
			Text     *string
		}
	}
	data, err := os.ReadFile("testdata/rendered.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	n := 0
	eachCase(t, func(line, source string, variables *Dict) {
		if n == len(golden.Renders) || golden.Renders[n].Template != line {
			t.Fatalf("rendered.json lacks %q: run testdata/render.py", line)
		}
		want := golden.Renders[n].Text
		n++
		got, err := render(source, variables)
		switch {
		case want == nil && err == nil:
			t.Errorf("%s\ngot  %q\nwant an error", line, got)
		case want == nil:
			var e *Error
			if !errors.As(err, &e) || e.Line < 1 || e.Column < 1 || e.Message == "" {
				t.Errorf("%s\nerror %#v: want an *Error with its place", line, err)
			}
		case err != nil:
			t.Errorf("%s\nerror %v\nwant %q", line, err, *want)
		case got != *want:
			t.Errorf("%s\ngot  %q\nwant %q", line, got, *want)
		}
	})
	if n < len(golden.Renders) {
		t.Errorf("rendered.json has %d cases, cases.txt %d: run testdata/render.py", len(golden.Renders), n)
	}
}

// eachCase reads cases.txt.
func eachCase(t testing.TB, f func(line, source string, variables *Dict)) {
	t.Helper()
	file, err := os.Open("testdata/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	variables := &Dict{}
	undo := strings.NewReplacer(`\\`, `\\`, `\n`, "\n", `\r`, "\r")
	s := bufio.NewScanner(file)
	for s.Scan() {
		line := s.Text()
		switch {
		case line == "" || strings.HasPrefix(line, "# "):
		case strings.HasPrefix(line, "@ "):
			v, err := FromJSON([]byte(line[2:]), 1)
			if err != nil {
				t.Fatal(err)
			}
			variables = v.(*Dict)
		default:
			f(line, undo.Replace(line), variables)
		}
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

func render(source string, variables *Dict) (string, error) {
	tmpl, err := Parse(source)
	if err != nil {
		return "", err
	}
	text, err := tmpl.Render(variables, Options{Now: time.Date(2026, 7, 6, 15, 4, 5, 0, time.UTC)})
	return text.String(), err
}
