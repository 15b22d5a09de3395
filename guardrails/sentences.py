"""A text as numbered sentences: the unit that judges cite, revisers edit and streams release.

`split` is lossless: `"".join(split(text)) == text` for every string, and a `Splitter` gives the same
sentences while the text still arrives. Where they end is found in `boundaries`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from guardrails.boundaries import Boundaries

_MOST_COMPARED = 250_000

_MARKER = re.compile(r"\s*(?:(?:[-*+•・]|\d{1,3}[.)]|#{1,6}|>)[ \t\u3000]+)+|\s*[・•]\s*|\s+")


@dataclass(frozen=True, slots=True)
class Edit:
    """A new text for one sentence, counted from 1. An empty text deletes the sentence.

    >>> apply("It cannot fall. It costs 0.2%.", [Edit(1, "It can fall.")])
    'It can fall. It costs 0.2%.'
    """

    sentence: int
    text: str


class EditError(ValueError):
    """Edits that cannot be applied; the message tells a reviser what to do instead."""


def split(text: str) -> tuple[str, ...]:
    """Split a text into sentences, each with the white space that follows it.

    Nothing is lost or changed: joining the sentences gives the text back. A fenced code block is one
    sentence, and so is a table row. No sentence is longer than about 2,000 characters outside those:
    a longer run without a boundary is cut. An empty text has none.

    >>> split("Returns vary. 価格は変動します。損失もあります。")
    ('Returns vary. ', '価格は変動します。', '損失もあります。')
    """
    splitter = Splitter()
    return (*splitter.feed(text), *splitter.end())


class Splitter:
    """Splits a text into sentences as it arrives: in whatever pieces, they are those of `split`.

    A sentence is given out once, when what begins the next one shows that it is complete; that it ends there
    never changes. The time for a whole text grows with its length alone, not with the number of its pieces.

    >>> splitter = Splitter()
    >>> splitter.feed("It can fall. It co"), splitter.rest
    ([], 'It can fall. It co')
    >>> splitter.feed("sts 0.2%."), splitter.end()
    (['It can fall. '], ['It costs 0.2%.'])
    """

    def __init__(self) -> None:
        self._boundaries = Boundaries()
        self._rest: list[str] = []

    @property
    def rest(self) -> str:
        """The text that was not given out yet."""
        return "".join(self._rest)

    def feed(self, text: str) -> list[str]:
        """Take the next piece of the text; the sentences that are complete now, each with its white space."""
        self._rest.append(text)
        return self._cut(self._boundaries.feed(text))

    def end(self) -> list[str]:
        """Say that the text is complete; the rest of it, as sentences. What is fed next begins another text."""
        sentences = self._cut(self._boundaries.feed("", final=True))
        self._boundaries = Boundaries()
        return sentences

    def _cut(self, lengths: Sequence[int]) -> list[str]:
        if not lengths:
            return []
        text, start = self.rest, 0
        sentences = []
        for length in lengths:
            sentences.append(text[start : start + length])
            start += length
        self._rest = [text[start:]]
        return sentences


def apply(text: str | Sequence[str], edits: Iterable[Edit], append: str | None = None) -> str:
    r"""Apply edits to the numbered sentences of a text, and append a sentence if one is given.

    The text may be given as its sentences.

    An edited sentence keeps its list marker and its trailing white space; every other sentence stays
    byte for byte as it was.

    Raises:
        EditError: a sentence that does not exist, or two edits of the same one.

    >>> apply("- It is safe.\n- It is cheap.", [Edit(1, "It can fall."), Edit(2, "")])
    '- It can fall.\n'
    """
    sentences = list(split(text) if isinstance(text, str) else text)
    for number, new in _by_number(edits, len(sentences)).items():
        sentences[number - 1] = _replaced(sentences[number - 1], new)
    edited = "".join(sentences)
    if append and append.strip():
        edited = edited.rstrip() + _gap(edited) + append.strip()
    return edited


def changes(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """Where two lists of sentences differ: `before[i1:i2]` became `after[j1:j2]`, in order.

    >>> changes(["A. ", "B. ", "C."], ["A. ", "X. ", "C."])
    [(1, 2, 1, 2)]
    """
    start = next(
        (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after))
    )
    rest = min(len(before), len(after)) - start
    tail = zip(reversed(before), reversed(after), strict=False)
    end = min(rest, next((i for i, (a, b) in enumerate(tail) if a != b), rest))
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if len(old) * len(new) > _MOST_COMPARED:  # comparing all with all takes too long: one great change
        return [(start, len(before) - end, start, len(after) - end)]
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [
        (start + i1, start + i2, start + j1, start + j2)
        for tag, i1, i2, j1, j2 in matcher.get_opcodes()
        if tag != "equal"
    ]


def joined(*texts: str) -> str:
    """Texts one after the other, with a space between those that need one.

    >>> joined("Prices vary.", "", "Ask us."), joined("価格は変動します。", "ご相談ください。")
    ('Prices vary. Ask us.', '価格は変動します。ご相談ください。')
    """
    whole = ""
    for text in texts:
        if text.strip():
            whole += _space(whole) + text.strip()
    return whole


def body(sentence: str) -> str:
    r"""A sentence without its list marker and surrounding white space.

    >>> body("  1. Prices fall.\n")
    'Prices fall.'
    """
    return sentence[_body_start(sentence) :].rstrip()


def _body_start(sentence: str) -> int:
    marker = _MARKER.match(sentence)
    return marker.end() if marker else 0


def _replaced(sentence: str, new: str) -> str:
    new = new.strip()
    if not new:
        return ""
    start = _body_start(sentence)
    if not sentence[start:].strip():  # white space alone, or a bare marker
        return sentence + new
    end = len(sentence.rstrip())
    marker = _MARKER.match(new)
    if marker and sentence[:start].strip():  # a reviser that repeats the marker does not double it
        new = new[marker.end() :] or new
    return sentence[:start] + new + sentence[end:]


def _by_number(edits: Iterable[Edit], count: int) -> dict[int, str]:
    texts: dict[int, str] = {}
    for edit in edits:
        if not 1 <= edit.sentence <= count:
            raise EditError(f"there is no sentence {edit.sentence}; the reply has sentences 1 to {count}")
        if edit.sentence in texts:
            raise EditError(f"sentence {edit.sentence} is edited twice; give one edit a sentence")
        texts[edit.sentence] = edit.text
    return texts


def _gap(text: str) -> str:
    return "\n\n" if "\n" in text.strip() else _space(text)


def _space(text: str) -> str:
    last = text.rstrip()[-1:]
    return "" if not last or last in "。！？」』" else " "
