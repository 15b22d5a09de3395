r"""How the Markdown templates are rendered: whatever comes from a constitution is text, and marks up nothing.

Markdown as GitHub reads it: CommonMark with tables, strikethrough, footnotes and formulas between dollar signs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guardrails._differences import Line
from guardrails._visible import visible
from guardrails.reports._words import WORDS

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

# An entity is never markup, wherever it stands; a backslash is read more easily, but not everywhere honoured.
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;", "@": "&#64;"}
_MARKS = {mark: f"\\{mark}" for mark in "\\`*_[]~#"}
_SPECIAL = str.maketrans(_ENTITIES | _MARKS)
_SIGNS = {"same": " ", "gone": "-", "come": "+"}
_ADDRESS = re.compile(r"(?i)\b(https?|ftp|mailto|xmpp)(:)|\b(www)(\.)")
_BLOCK = re.compile(r"^(?:([-+=])(?=[-+=\s]|$)|(\d{1,9})([.)])(?=\s|$))")


def markdown(language: str, more: Mapping[str, str]) -> Environment:
    """The templates, with the words of a language as `say(word, …)`; `more` are a page's own, and go first."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("guardrails.reports"),
        undefined=StrictUndefined,
        finalize=_plain,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    words = {**WORDS[language], **more}
    made.globals.update(say=_say(words), named=lambda kind, value: words.get(f"{kind}_{value}", value))
    made.globals.update(language=language, fence=fence, row=_row, compared=_compared, spelled=_spelled)
    made.filters.update(code=_code, address=_address, inline=_inline, day=lambda time: f"{time:%Y-%m-%d}")
    return made


def escaped(text: str) -> str:
    r"""A text on one line of Markdown that reads as it is.

    >>> print(escaped("*50%* of $1 | <b>`x`</b>"))
    \*50%\* of &#36;1 &#124; &lt;b&gt;\`x\`&lt;/b&gt;
    """
    lines = (visible(line).replace("\t", " ").strip().translate(_SPECIAL) for line in text.strip().split("\n"))
    lines = (_BLOCK.sub(_no_block, _ADDRESS.sub(_no_address, line)) for line in lines)
    return "<br>".join(lines)


def fence(text: str, language: str = "") -> Markup:
    """A block of code that ends where the text does, whatever backticks the text holds."""
    from markupsafe import Markup

    text = visible(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    return Markup(f"{marks}{language}\n{text}\n{marks}")  # noqa: S704 - Markdown; the fence holds the text


def _no_block(found: re.Match[str]) -> str:
    return f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}"


def _no_address(found: re.Match[str]) -> str:
    """An address in a text stays text: links are made of authorities alone."""
    return f"{found[1]}&#58;" if found[1] else f"{found[3]}&#46;"


def _plain(value: Any) -> Any:
    from markupsafe import Markup

    if isinstance(value, str) and not hasattr(value, "__html__"):
        return Markup(escaped(value))  # noqa: S704 - escaped, for Markdown
    return value


def _say(words: Mapping[str, str]) -> Callable[..., Markup]:
    from markupsafe import Markup

    def say(word: str, **values: Any) -> Markup:
        return Markup(words[word]).format(**{name: _plain(value) for name, value in values.items()})  # noqa: S704 - our own words

    return say


def _row(cell: Markup) -> Markup:
    """What goes into a cell of a table: one line."""
    from markupsafe import Markup

    return Markup(" ".join(cell.split()))  # noqa: S704 - as it was


def _inline(piece: str) -> Markup:
    """A piece of a line, with the white space around it."""
    from markupsafe import Markup

    before, after = piece[: len(piece) - len(piece.lstrip())], piece[len(piece.rstrip()) :]
    return Markup(" " * bool(before) + escaped(piece) + " " * bool(after and piece.strip()))  # noqa: S704 - escaped


def _compared(lines: Sequence[Line]) -> str:
    """Two drafts as a diff: what stayed, what went, what came."""
    return "\n".join(
        f"{_SIGNS[line.mark]} {part}"
        for line in lines
        for part in "".join(words for words, _ in line.pieces).strip().split("\n")
    )


def _spelled(expressions: Sequence[tuple[str, Sequence[str]]]) -> str:
    return "\n".join(line for name, forms in expressions for line in (f"{name}:", *(f"  {form}" for form in forms)))


def _code(text: str) -> Markup:
    """An id or a digest; neither can hold a backtick."""
    from markupsafe import Markup

    return Markup(f"`{text}`")  # noqa: S704 - letters, digits and hyphens


def _address(address: str) -> Markup:
    from markupsafe import Markup

    return Markup(f"<{address}>")  # noqa: S704 - the characters of an address, none of which ends the link
