"""Two drafts beside each other, sentence by sentence, with the words that changed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Literal

from guardrails.sentences import changes, split

# A number with its unit is a word; so is a run of one Japanese script, which is written without spaces.
_WORDS = re.compile(
    r"\s+|[$€£¥]?[A-Za-z0-9'’]+(?:[.,-][A-Za-z0-9]+)*%?|[\u3400-\u4dbf\u4e00-\u9fff々]+|[\u30a0-\u30ff]+|[\u3040-\u309f]+|.",
    re.DOTALL,
)
_ALIKE = 0.33  # a sentence that keeps less of its letters is another sentence: all of it changed

Pieces = tuple[tuple[str, bool], ...]
"""A sentence in pieces, each with whether it changed."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of a draft, or of both: it stayed (`same`), went (`gone`) or came (`come`).

    `before` and `after` are its numbers in the two drafts, None where it is in one alone.
    """

    mark: Literal["same", "gone", "come"]
    before: int | None
    after: int | None
    pieces: Pieces


def differences(before: str, after: str, first: int = 1) -> Iterator[Line]:
    """The sentences of two drafts; both begin with sentence `first`. White space around sentences is no difference.

    >>> [(line.mark, line.before, line.after) for line in differences("A. It fell.", "A. It rose. C.")]
    [('same', 1, 1), ('gone', 2, None), ('come', None, 2), ('come', None, 3)]
    """
    old, new = (tuple(map(_trimmed, split(text))) for text in (before, after))
    i, j = 0, 0
    for i1, i2, j1, j2 in [*changes(old, new), (len(old), len(old), len(new), len(new))]:
        for k in range(i1 - i):
            yield Line("same", first + i + k, first + j + k, ((old[i + k], False),))
        i, j = i2, j2
        gone, come = _marked(old[i1:i2], new[j1:j2])
        for k, pieces in enumerate(gone):
            yield Line("gone", first + i1 + k, None, pieces)
        for k, pieces in enumerate(come):
            yield Line("come", None, first + j1 + k, pieces)


def numbered(draft: str, first: int = 1) -> Iterator[Line]:
    """The sentences of one draft, as lines that stayed."""
    for number, sentence in enumerate(split(draft), first):
        yield Line("same", number, number, ((_trimmed(sentence), False),))


def _trimmed(sentence: str) -> str:
    return sentence.strip("\n").rstrip()


def _marked(old: Sequence[str], new: Sequence[str]) -> tuple[list[Pieces], list[Pieces]]:
    """Sentences that became others, each in pieces."""
    before, after = [_WORDS.findall(one) for one in old], [_WORDS.findall(one) for one in new]
    words, others = [word for one in before for word in one], [word for one in after for word in one]
    is_gone, is_come = [False] * len(words), [False] * len(others)
    i, j = 0, 0
    for i1, i2, j1, j2 in changes(words, others):
        # A space between two words that changed changed with them.
        starts = (i, j) if i and not "".join(words[i:i1]).strip() else (i1, j1)
        is_gone[starts[0] : i2] = [True] * (i2 - starts[0])
        is_come[starts[1] : j2] = [True] * (j2 - starts[1])
        i, j = i2, j2
    return _cut(before, is_gone), _cut(after, is_come)


def _cut(sentences: Sequence[Sequence[str]], changed: Sequence[bool]) -> list[Pieces]:
    """Each sentence's words, joined where they are marked alike."""
    marks, made = iter(changed), []
    for sentence in sentences:
        words = [(word, next(marks)) for word in sentence]
        kept = sum(len(word) for word, mark in words if not mark)
        if kept < _ALIKE * len("".join(sentence)):
            words = [(word, True) for word, _ in words]
        grouped = groupby(words, key=itemgetter(1))
        made.append(tuple(("".join(word for word, _ in group), mark) for mark, group in grouped))
    return made
