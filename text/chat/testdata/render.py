"""Renders cases.json with Python's Jinja2, set up as Hugging Face
transformers sets it up, and writes rendered.json.

Run in this folder: python3 render.py (Debian: apt-get install python3-jinja2).
"""

import hashlib
import json

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
environment.globals["raise_exception"] = raise_exception
source = open("../chat_template.jinja", encoding="utf-8").read()
template = environment.from_string(source)

renders = {}
for case in json.load(open("cases.json", encoding="utf-8")):
    try:
        text = template.render(
            messages=case["messages"],
            add_generation_prompt=case["add_generation_prompt"],
        )
        renders[case["name"]] = {"text": text}
    except jinja2.exceptions.TemplateError as error:
        renders[case["name"]] = {"error": str(error)}

with open("rendered.json", "w", encoding="utf-8") as out:
    json.dump(
        {
            "template_sha256": hashlib.sha256(source.encode()).hexdigest(),
            "jinja2": jinja2.__version__,
            "renders": renders,
        },
        out,
        ensure_ascii=False,
        indent=1,
    )
    out.write("\n")
