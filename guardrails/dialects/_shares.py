"""A revised text, given back to the parts that the old one was made of."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise, takewhile
from operator import itemgetter

from guardrails.sentences import split


def shared_out(parts: Sequence[str], text: str) -> list[str]:
    """A revised text, given back to the parts that the old one was made of, sentence by sentence.

    A sentence that did not change stays in its parts, an edited one goes where the old one began, and an added
    one where the sentence before it ended. That never goes back to an earlier part, so the shares join to the text.
    """
    if len(parts) <= 1:
        return [text] * len(parts)
    old, new = split("".join(parts)), split(text)
    spans = _spans(parts, old)
    shares: list[list[str]] = [[] for _ in parts]
    part = spans[0][0][0] if spans else 0
    for sentence, match in zip(new, _matches(old, new), strict=True):
        done = 0
        if match is not None:
            part = spans[match][0][0]
            if sentence.rstrip() == old[match].rstrip():
                for part, start, done in spans[match]:
                    shares[part].append(sentence[start:done])
        shares[part].append(sentence[done:])
    joined = ["".join(share) for share in shares]
    return joined if "".join(joined) == text else [text, *[""] * (len(parts) - 1)]


def _spans(parts: Sequence[str], sentences: Sequence[str]) -> list[list[tuple[int, int, int]]]:
    """For each sentence, the parts that it stands in, each with where in the sentence that is."""
    spans: list[list[tuple[int, int, int]]] = []
    part, room = -1, 0
    for sentence in sentences:
        span, start = [], 0
        while start < len(sentence):
            while not room:
                part, room = part + 1, len(parts[part + 1])
            stop = min(start + room, len(sentence))
            span.append((part, start, stop))
            room -= stop - start
            start = stop
        spans.append(span)
    return spans


def _matches(old: Sequence[str], new: Sequence[str]) -> list[int | None]:
    """For each new sentence the old one that it is, or stands for, in rising order; None for an added one.

    Sentences that both texts hold once are fixed points; between them, what is equal at the start and at the end
    is matched first, then the rest in order. Linear but for finding the fixed points' order (n log n).
    """
    was, now = [sentence.rstrip() for sentence in old], [sentence.rstrip() for sentence in new]
    found: list[int | None] = [None] * len(new)
    for (i, j), (i_end, j_end) in pairwise([(0, 0), *_fixed_points(was, now), (len(was), len(now))]):
        old_gap, new_gap = was[i:i_end], now[j:j_end]
        paired = min(len(old_gap), len(new_gap))
        head = _agreeing(old_gap, new_gap)
        tail = min(paired - head, _agreeing(old_gap[::-1], new_gap[::-1]))
        found[j : j + paired - tail] = range(i, i + paired - tail)
        found[j_end - tail : j_end] = range(i_end - tail, i_end)
    return found


def _agreeing(old: Sequence[str], new: Sequence[str]) -> int:
    """How many sentences are the same before the first that differs."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _fixed_points(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Where the sentences stand that both texts hold exactly once: the longest run of them that rises in both."""
    in_old, in_new, place = Counter(old), Counter(new), {sentence: j for j, sentence in enumerate(new)}
    ends: list[tuple[int, int]] = []  # of the runs of each length, the end that leaves most room
    before: dict[tuple[int, int], tuple[int, int]] = {}
    for i, sentence in enumerate(old):
        if in_old[sentence] == in_new[sentence] == 1:
            point = (i, place[sentence])
            length = bisect_left(ends, point[1], key=itemgetter(1))
            if length:
                before[point] = ends[length - 1]
            ends[length : length + 1] = [point]
    run = ends[-1:]
    while run and run[-1] in before:
        run.append(before[run[-1]])
    return run[::-1]
