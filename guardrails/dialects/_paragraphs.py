"""Which texts of a reply stand apart from the text before them, and which go on where it stopped."""

from __future__ import annotations

from collections.abc import Hashable, Iterable


class Paragraphs:
    """Follows the texts of one alternative, in order. Texts of one place go on, if nothing stands between them."""

    def __init__(self) -> None:
        self._place: Hashable = None
        self._is_spoken = self._is_parted = False

    def part(self) -> None:
        """Take note of something that is no prose."""
        self._is_parted = True

    def begins(self, text: str, place: Hashable = None) -> bool:
        """Whether the next text stands apart. An empty one is no text, and what stands before it parts the next."""
        if not text:
            return False
        apart = self._is_spoken and (self._is_parted or place != self._place)
        self._place, self._is_parted = place, False
        self._is_spoken = self._is_spoken or bool(text.strip())  # white space alone has nothing to stand apart from
        return apart


def apart(parts: Iterable[tuple[str, Hashable] | None]) -> frozenset[int]:
    """The indexes, among the texts, of those that stand apart. A part is a text and its place, or None: no prose."""
    paragraphs, found, index = Paragraphs(), set(), 0
    for part in parts:
        if part is None:
            paragraphs.part()
            continue
        if paragraphs.begins(*part):
            found.add(index)
        index += 1
    return frozenset(found)
