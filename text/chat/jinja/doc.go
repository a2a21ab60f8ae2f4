// Package jinja runs the chat templates of checkpoints: the part of the Jinja
// language that they use, with the semantics of Python values, set up as
// Hugging Face transformers sets up Jinja2 (trim_blocks, lstrip_blocks, loop
// controls, an immutable sandbox, tojson, raise_exception, strftime_now and
// generation blocks).
//
// What is special is Text, the string of the language: every byte carries a
// Mark, which says whether the template wrote it or which input it comes from.
// Marks go through every operation, so the caller of Render knows which bytes of
// the result an input could have chosen.
//
// Templates are foreign programs: Options limits steps, depth, output and
// memory, and every failure is an *Error with line and column.
//
// Not here: inheritance, inclusion and import (a chat template is one file),
// autoescape (of Markup, "+" and what keeps a text whole are here, its other
// methods give ordinary text), the filters pprint, random, striptags, urlize,
// wordwrap, xmlattr and filesizeformat, the repr of a range, and integers of more
// than 64 bits in arithmetic. Sequences that Jinja makes lazily (map,
// select, items) are lists here.
//
// Source: the template designer documentation of Jinja 3.1 and the behaviour
// of Jinja2 3.1 itself.
package jinja
