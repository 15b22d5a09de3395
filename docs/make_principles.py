#!/usr/bin/env python
"""Makes docs/principles/: the rule books of the constitutions that come with the library, in both languages.

`python docs/make_principles.py` writes the pages; `--check` exits 1 where one of them is not what it would write.
They carry no date, so that they change only with the constitutions and with the rule book itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from guardrails import Constitution
from guardrails.constitution import shipped, text_in
from guardrails.reports import LANGUAGES, rulebook

FOLDER = Path(__file__).parent / "principles"
INDEX = "README.md"
HEAD = """\
# The principles that come with the library

The rule book of each shipped constitution: what every principle says, what it rests on and whether that was read in
the primary source, how a breach is looked for, how it is mended, and examples on both sides. These pages are made
from the constitutions by `docs/make_principles.py`; a test fails where they differ. `guardrails show NAME --format
html` makes the same book of a constitution of your own.

They are a start for your own rules and no legal advice: have them read by whoever answers for your service.

| constitution | version | principles | rule book |
|---|---|---|---|
"""


def main() -> int:
    """Write the pages, or with `--check` say whether they are as they should be."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/make_principles.py [--check]\n")
        return 2
    made = dict(pages())
    if not sys.argv[1:]:
        FOLDER.mkdir(exist_ok=True)
        for name, text in made.items():
            (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        for name in written().keys() - made.keys():
            (FOLDER / name).unlink()
        return 0
    stale = stale_pages()
    if not stale:
        return 0
    sys.stderr.write(f"out of date: {', '.join(stale)}; renew them: python docs/make_principles.py\n")
    return 1


def pages() -> Iterator[tuple[str, str]]:
    """The pages by their names: a rule book for each constitution and language, and the index."""
    rows = []
    for name in shipped():
        constitution = Constitution.load(name)
        links = []
        for language in LANGUAGES:
            file = f"{name}.md" if language == LANGUAGES[0] else f"{name}.{language}.md"
            links.append(f"[{_title(constitution, language)}]({file})")
            yield file, rulebook(constitution, "markdown", language=language)
        rows.append(f"| `{name}` | {constitution.version} | {len(constitution.principles)} | {', '.join(links)} |\n")
    yield INDEX, HEAD + "".join(rows)


def stale_pages() -> list[str]:
    """The names of pages that are missing, of another text, or of no constitution any more."""
    made, found = dict(pages()), written()
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def written() -> dict[str, str]:
    """The pages that are there."""
    return {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}


def _title(constitution: Constitution, language: str) -> str:
    title = constitution.source.file.title
    return constitution.name if title is None else text_in(title, language)


if __name__ == "__main__":
    sys.exit(main())
