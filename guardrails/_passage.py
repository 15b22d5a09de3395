"""The text of a streamed reply: what was heard, what is settled of it, and what came of that. No I/O."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from guardrails.dialects import APART
from guardrails.sentences import Splitter, changes, split


@dataclass(frozen=True, slots=True)
class Piece:
    """A span of what was heard, and the text that stands there instead. An empty span is the end of the reply."""

    start: int
    end: int
    text: str


class Passage:
    """A text that arrives in chunks, is settled sentence by sentence, and may come out changed."""

    def __init__(self) -> None:
        self.settled = 0
        """How many characters of what was heard are judged, and may go out."""
        self.length = 0
        """How many were heard."""
        self.out = ""
        """What came of the settled ones."""
        self.sentences: list[str] = []
        """The sentences of `out`."""
        self.emitted: list[str] = []
        """What went out of that: an event may wait that holds the space after a sentence and the next one's word."""
        self.begins = ""
        """The first character that is no white space."""
        self._splitter = Splitter()
        self._heard: list[str] = []
        self._pieces: list[Piece] = []
        self._apart: set[int] = set()

    @property
    def heard(self) -> str:
        """All that was heard."""
        return "".join(self._heard)

    @property
    def rest(self) -> str:
        """What was heard and is not settled."""
        return self.heard[self.settled :]

    def hear(self, text: str) -> list[str]:
        """Take in a chunk, and give the sentences that are complete with it."""
        self.begins = self.begins or text.replace("\ufeff", "").lstrip()[:1]
        self.length += len(text)
        self._heard.append(text)
        return self._splitter.feed(text)

    def part(self) -> None:
        """Set what comes apart from what was heard. Judges read that; it is in no event, and does not come out."""
        self._apart.add(self.length + len(APART))

    def settle(self, sentences: Sequence[str], text: str, *, is_last: bool = False) -> bool:
        """Take over what came of the next sentences: `text` is the reply up to there, as it was judged.

        False, and nothing is done, where that would change what is out.
        """
        if not text.startswith(self.out.rstrip()):
            return False
        pieces = _pieces(sentences, split(self.beyond(text)), self.settled, is_last=is_last)
        out, at = [], self.settled
        heard = "".join(sentences)
        for piece in pieces:
            out += [heard[at - self.settled : piece.start - self.settled], piece.text]
            at = piece.end
        made = "".join([*out, heard[at - self.settled :]])
        self.settled += len(heard)
        self.out += made
        self.sentences += split(made)
        self._pieces += pieces
        return True

    def beyond(self, text: str) -> str:
        """What a draft of the reply says after what is out: an appended text may have taken the space between."""
        return text[len(self.out) :] if text.startswith(self.out) else text[len(self.out.rstrip()) :].lstrip()

    def revised(self, start: int, end: int, text: str) -> str:
        """What goes out for a settled span of what was heard, whose text this was."""
        made, at = [], start
        for piece in self._pieces[bisect_left(self._pieces, start + 1, key=attrgetter("end")) :]:
            if piece.start >= end:
                break
            if piece.start >= start:
                made += [text[at - start : piece.start - start], self._shown(piece)]
            at = min(piece.end, end)
        return "".join([*made, text[at - start :]])

    def _shown(self, piece: Piece) -> str:
        """A piece without what set apart the texts that it spans, where that is in the space at its end."""
        space = len(piece.text) - len(piece.text.rstrip())
        for place in self._apart:
            at = len(piece.text) - (piece.end - place)  # the end of the mark, counted from the end of both
            if piece.start < place <= piece.end and len(piece.text) - space <= at - len(APART):
                return piece.text[: at - len(APART)] + piece.text[at:]
        return piece.text

    @property
    def appended(self) -> str:
        """What stands after all that was heard."""
        return "".join(piece.text for piece in self._pieces if piece.start == piece.end)

    def is_revised(self, start: int, end: int) -> bool:
        """Whether something within a span of what was heard was changed."""
        return any(piece.start < end and piece.end > start for piece in self._pieces)


def _pieces(old: Sequence[str], new: Sequence[str], offset: int, *, is_last: bool) -> list[Piece]:
    """What replaces what, sentence by sentence; of the white space at a sentence's end, the old one stays."""
    starts = [offset]
    for sentence in old:
        starts.append(starts[-1] + len(sentence))
    pieces = []
    for i1, i2, j1, j2 in changes([s.rstrip() for s in old], [s.rstrip() for s in new]):
        text = "".join(new[j1:j2])
        if i2 - i1 == j2 - j1:
            pairs = zip(range(i1, i2), range(j1, j2), strict=True)
            pieces += [Piece(starts[i], starts[i + 1], new[j].rstrip() + _space(old[i])) for i, j in pairs]
        elif i1 < i2:
            pieces.append(Piece(starts[i1], starts[i2], text.rstrip() + _space(old[i2 - 1]) if text.strip() else ""))
        elif i1 == len(old) and is_last:
            apart = _space(new[j1 - 1]) if old and not _space(old[-1]) else ""
            pieces.append(Piece(starts[-1], starts[-1], apart + text))
        elif i1:  # what is added goes with the sentence before it
            before = old[i1 - 1]
            grown = before.rstrip() + (_space(new[j1 - 1]) or _space(before)) + text.rstrip() + _space(before)
            pieces.append(Piece(starts[i1 - 1], starts[i1], grown))
        elif old:
            pieces.append(Piece(starts[0], starts[1], text + old[0]))
    return pieces


def _space(sentence: str) -> str:
    return sentence[len(sentence.rstrip()) :]
