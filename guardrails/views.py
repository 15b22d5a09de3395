"""A sentence as patterns see it: what typography, emphasis and invisible characters would hide is gone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_FOLD = str.maketrans({"’": "'", "‘": "'", "＇": "'", "“": '"', "”": '"', "‐": "-", "\n": " ", "\t": " ", "\r": " "})
_FINAL = " \u3000。."
_SURROGATE = re.compile("[\ud800-\udfff]")
_EMPHASIS = re.compile(r"\*+|`+|~~+|(?<![^\W_])_+|_+(?![^\W_])")
_MARKS = ("**", "__", "~~", "*", "_", "`")


@dataclass(frozen=True, slots=True)
class View:
    """A sentence as patterns see it.

    `text` is NFKC-normalised, with typographic quotes folded, Markdown's emphasis and invisible characters
    dropped, white space made one space, and white space and full stops stripped from its end.
    """

    text: str
    sentence: str
    starts: tuple[int, ...] | None
    ends: tuple[int, ...] | None
    lead: int = 0

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The span in the sentence for a span in the view, emphasis that it opens or closes included."""
        if self.starts is None or self.ends is None:
            return self.lead + start, self.lead + end
        if start == end:
            return self.starts[start], self.starts[start]
        return _balanced(self.sentence, self.starts[start], self.ends[end - 1])


def view(sentence: str) -> View:
    """Show a sentence as patterns see it.

    >>> view(" ５％　the “fund” **fell**。").text
    '5% the "fund" fell'
    """
    plain = _SURROGATE.sub("\ufffd", sentence.translate(_FOLD))
    if not (_EMPHASIS.search(plain) or "  " in plain) and (plain.isascii() or _is_normal(plain)):
        text = plain.lstrip()
        return View(text.rstrip(_FINAL), sentence, None, None, len(plain) - len(text))
    pieces = list(_pieces(plain))
    text = "".join(piece for piece, _, _ in pieces)
    starts = [start for piece, start, _ in pieces for _ in piece]
    ends = [end for piece, _, end in pieces for _ in piece]
    seen = list(_seen(text))
    shown = "".join(text[index] for index in seen)
    stripped = shown.lstrip()
    seen = seen[len(shown) - len(stripped) :]
    shown = stripped.rstrip(_FINAL)
    last = len(sentence)
    return View(shown, sentence, (*(starts[i] for i in seen), last), (*(ends[i] for i in seen), last))


def _is_normal(text: str) -> bool:
    return unicodedata.is_normalized("NFKC", text) and not any(map(_is_invisible, text))


def _pieces(text: str) -> Iterator[tuple[str, int, int]]:
    """What each run of the text becomes, and where it stands."""
    for start, end in _runs(text):
        kept = "".join(c for c in text[start:end] if not _is_invisible(c))
        yield unicodedata.normalize("NFKC", kept).translate(_FOLD), start, end


def _runs(text: str) -> Iterator[tuple[int, int]]:
    """Runs that normalise independently: a character with the combining and invisible ones that follow it."""
    start = 0
    for index in range(1, len(text) + 1):
        if index == len(text) or not _joins(text[index]):
            yield start, index
            start = index


def _seen(text: str) -> Iterator[int]:
    """The places of what is shown: no emphasis, and of several spaces in a row the first."""
    marks = {index for mark in _EMPHASIS.finditer(text) for index in range(*mark.span())}
    before = ""
    for index, character in enumerate(text):
        if index not in marks and not (character == before == " "):
            yield index
            before = character


def _balanced(sentence: str, start: int, end: int) -> tuple[int, int]:
    """A span that takes both marks of an emphasis, where it holds one and the other stands next to it."""
    for mark in _MARKS:
        if sentence.count(mark, start, end) % 2:
            if sentence.endswith(mark, 0, start):
                return start - len(mark), end
            if sentence.startswith(mark, end):
                return start, end + len(mark)
    return start, end


def _joins(character: str) -> bool:
    return bool(unicodedata.combining(character)) or character in "\uff9e\uff9f" or _is_invisible(character)


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) == "Cf"
