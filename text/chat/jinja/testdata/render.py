"""Renders cases.txt with Python's Jinja2, set up as Hugging Face transformers
sets it up, and writes rendered.json: for each case its text, or null where
Jinja2 refuses it.

Run in this folder: python3 render.py (Debian: apt-get install python3-jinja2).
"""

import datetime
import json

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = datetime.datetime(2026, 7, 6, 15, 4, 5)


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


environment = ImmutableSandboxedEnvironment(
    trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
)
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = NOW.strftime

variables, renders = {}, []
for line in open("cases.txt", encoding="utf-8"):
    line = line.removesuffix("\n")
    if not line or line.startswith("# "):
        continue
    if line.startswith("@ "):
        variables = json.loads(line[2:])
        continue
    source = line.replace("\\\\", "\0").replace("\\n", "\n").replace("\\r", "\r").replace("\0", "\\\\")
    try:
        renders.append({"template": line, "text": environment.from_string(source).render(**variables)})
    except Exception:
        renders.append({"template": line, "text": None})

with open("rendered.json", "w", encoding="utf-8") as out:
    json.dump({"jinja2": jinja2.__version__, "renders": renders}, out, ensure_ascii=False, indent=1)
    out.write("\n")
