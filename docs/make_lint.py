#!/usr/bin/env python
"""Makes docs/lint/ from the rules themselves: a page a rule, from the docstring of its function, and the list of them.

`python docs/make_lint.py` writes the pages; `--check` writes nothing, and exits 1 where they are others.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from guardrails.authoring.lint import RULES, Rule, page_of

FOLDER = Path(__file__).parent / "lint"
FAMILIES = {
    "IN": "The constitution as a whole",
    "EX": "Examples",
    "WD": "Wording",
    "CK": "Checks",
    "AU": "Authority",
    "FO": "Force",
    "TR": "Translation",
    "AP": "Approval",
}

HEAD = """\
# What lint finds

`guardrails lint` reads constitutions that can be used and says what is wrong with them. This page and those it leads to
are made from the rules by `docs/make_lint.py`; a test fails where the two differ. `guardrails lint --explain CK01`
prints a page.

```sh
guardrails lint constitutions/
guardrails lint acme-bank --strict --ignore EX06
guardrails lint acme-bank --select CK --select expired
guardrails lint acme-bank --json
guardrails lint acme-bank --format github
```

A path is a shipped name, a constitution's folder or file, the file of one of its principles, or a folder that holds
constitutions; without one, it is the folder you are in. Only what stands in a constitution's own files is judged; those
that it extends are looked at for repetitions, contradictions and near misses that its checks break.

Each finding is a line: the place, `error` or `advice`, the rule's code and name, what is wrong, and what to do. Exit
codes: 0 nothing, or advice alone; 1 errors, and with `--strict` advice too; 2 lint could not run. A constitution that
cannot be loaded gives all its mistakes as findings, whatever was selected or ignored. Nothing of a model is asked, and
dates are compared with today's in UTC.

## Allowing a finding

Where a finding is right in general and wrong here, allow it on its own line, and say why:

```yml
rule: {en: "Name the appropriate adult."} # lint: allow vague - a term of the Police and Criminal Evidence Act
```

Several are separated by commas, by code or by name: `# lint: allow vague, TR01`. `--ignore` and `--select` take codes,
names, and beginnings of codes (`EX`), and may be repeated.

## In pull requests and before commits

`--format github` prints annotations that GitHub Actions shows at their lines. For [pre-commit](https://pre-commit.com):

```yml
repos:
  - repo: https://github.com/…
    rev: v…
    hooks:
      - id: guardrails-lint
```

The hook lints every constitution that a changed file belongs to. Python code calls
`guardrails.authoring.lint.lint(path)`, which returns the findings.

## The rules
"""


def main() -> int:
    """Write the pages, or with `--check` say whether they are what the rules say."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/make_lint.py [--check]\n")
        return 2
    made = pages()
    if sys.argv[1:]:
        if made == {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}:
            return 0
        sys.stderr.write("docs/lint is out of date; renew it: python docs/make_lint.py\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
    return 0


def pages() -> dict[str, str]:
    """The files of docs/lint, with what stands in them."""
    return {"README.md": HEAD + "".join(_families()), **{_file(rule): page_of(rule.code) for rule in RULES}}


def _families() -> Iterator[str]:
    for letters, title in FAMILIES.items():
        yield f"\n### {title}\n\n| code | name | | finds |\n|---|---|---|---|\n"
        for rule in RULES:
            if rule.code.startswith(letters):
                first = " ".join(rule.doc.partition("\n\n")[0].split())
                yield f"| [{rule.code}]({_file(rule)}) | `{rule.name}` | {rule.level} | {first} |\n"


def _file(rule: Rule) -> str:
    return f"{rule.code}-{rule.name}.md"


if __name__ == "__main__":
    sys.exit(main())
