"""Where sentences end, in a text that arrives in pieces: what was told once holds, whatever comes after it.

Each step reads a little text before the place it has come to and at most `LOOK` characters after it, and waits
while those are not there yet. So the boundaries are the same however the text is cut into pieces.
"""

from __future__ import annotations

import re
from collections.abc import Callable

LOOK = 12  # characters of the next sentence that are read before the one before it ends
PIECE = 2_000  # a longer run without a boundary is cut
_BACK = 24  # characters before a full stop that are read to tell what it ends
_WORD = 100  # how far a cut goes back to stand between words
_LONGEST_RANGE = 500  # an opening quotation mark without a partner holds a stream up for no more than this
_DEEPEST_RANGE = 8

_PERIOD = ".!?…"
_FULL = "。．！？｡։؟۔।॥၊။።፧‼‽⁇⁈⁉﹒﹖﹗"  # these need no white space after them
_OPENS = dict(zip('(（[「『【《〈〔“«„"', '))]」』】》〉〕”»“"', strict=True))
_CLOSES = dict(zip(')）]」』】》〉〕”»“"', '))]」』】》〉〕”»“"', strict=True))
_UNSURE = "\"'’*_"  # closes or opens: it stands with the sentence that is open, or that white space follows
_ASIDE = ")]】〕"
_TIGHT = '(["'  # opens only if no white space follows

_UNSPLIT_FULL = _FULL.translate({ord(stop): None for stop in "．！？"})
_RANGES = re.escape("".join(dict.fromkeys([*_OPENS, *_CLOSES])))
_STOPS = _PERIOD + _FULL
_TOKEN = re.compile(  # one class of characters in front: that is what `re` searches fast for
    rf"[\n{_RANGES}{_STOPS}]"
    rf"(?:(?<=[\n{_RANGES}])|(?![{_STOPS}])(?:(?<=[{_UNSPLIT_FULL}])|(?![0-9a-z０-９])))"
)
_AFTER = re.compile(rf"([{re.escape(''.join(_CLOSES))}'’*_]{{0,8}})(?: ?\[\d{{1,3}}\]){{0,3}}")
_MARK_BEGUN = re.compile(r" ?(?:\[\d{0,3})?\Z")
_SPACE = re.compile(r"\s*")
_BLOCK = re.compile(
    r"(?P<fence>`{3}|~{3})|(?P<row>\|)|(?P<heading>#{1,6}[ \t\u3000])|(?:[-*+•]|\d{1,3}[.)]|>)[ \t\u3000]|[・•]"
)
_FENCE = re.compile(r"`{3,32}|~{3,32}")
_CLOSING = re.compile(r"[ \t]{0,64}([`~]{0,64})[^\S\n]{0,64}")
_MARKERS = re.compile(r"(?:[-*+•・>#_\s]|\d{1,3}(?:\.\d{1,3}){0,3}[.)])+")
_QUOTE_GOES_ON = re.compile(r"(?:と(?!ころ)|って|という|など|は|が|を|に|も|の|で)")
_QUOTED = '」』）)"”'
_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9f]")
_GLUED = re.compile(r"[A-Z][a-z]{0,9}[ ,’']")  # a word that lacks the white space before it
_CITED = re.compile(
    r"(?:^|[\s(])(?:F|Fed|Supp|App|Cir|Ct|R|Civ|Crim|P|Evid|Bankr|Stat|Rev|Bus|Prof|Gov|Ins|Corp|Fin|Code|Const|Reg"
    r"|Regs|Ed|Cas|Div|Super|Cal|Rptr|N\.Y\.S|S\.W|N\.E|N\.W|S\.E|So|A|L|Ltd|art|arts|para|sec)\.$"
)
_CITATION_GOES_ON = re.compile(r"\d|[&§]|[A-Z][\w.]{0,6}\. |\([A-Z\d]")
# Its ranges are ours to judge, and its Rust core refuses lone surrogates.
_NOT_FOR_SENTENCEX = re.compile(rf"[{_RANGES}*_`‘'\ud800-\udfff](?<!\w')")


class Boundaries:
    """Tells the lengths of the sentences of a text, as it arrives.

    >>> boundaries = Boundaries()
    >>> boundaries.feed("It fell. It co"), boundaries.feed("sts 0.2%. Why?"), boundaries.feed("", final=True)
    ([], [9], [15, 4])
    """

    def __init__(self) -> None:
        self._text = ""
        self._final = False
        self._found: list[int] = []
        self._step: Callable[[Boundaries], bool] = Boundaries._space
        self._at = 0  # what stands before is read
        self._start = 0  # where the sentence starts, and where its first character that is not white space is
        self._body = 0
        self._has_body = False
        self._opens: list[tuple[str, int]] = []
        self._fence = ""
        self._in_heading = False
        # The white space being read: where it starts, how many lines end in it, and where the last one does.
        self._gap = 0
        self._line_ends = 1
        self._cut = 0
        self._ends = False  # whether the sentence ends with it, whatever follows
        self._before = ""  # if a full stop stands before it: the text up to that
        self._closed = False  # whether quotation marks or the like stand between the two
        self._is_aside = False  # whether they close what stands in brackets inside of the sentence

    def feed(self, text: str, *, final: bool = False) -> list[int]:
        """Take the next piece of the text; the lengths of the sentences that it completes."""
        self._forget()
        self._text += text
        self._final = final
        self._found = []
        while self._step(self):
            pass
        if final and self._start < len(self._text):
            self._found.append(len(self._text) - self._start)
        return self._found

    def _forget(self) -> None:
        """Drop what was read and is not looked back to, so that a long code block costs no more than prose."""
        read = self._body if self._has_body and not self._ends else self._at
        if read <= 0:
            return
        self._text = self._text[read:]
        self._at, self._start, self._body = self._at - read, self._start - read, self._body - read
        self._gap, self._cut = self._gap - read, self._cut - read
        self._opens = [(closer, place - read) for closer, place in self._opens]

    def _lacks(self, end: int) -> bool:
        return len(self._text) < end and not self._final

    def _give(self, end: int) -> None:
        self._found.append(end - self._start)
        self._start = end
        self._has_body = self._ends = self._in_heading = False
        self._opens.clear()

    def _enter_gap(self, place: int, *, before: str = "", ends: bool = False) -> bool:
        self._at = self._gap = place
        self._line_ends = 0
        self._before, self._ends = before, ends
        self._step = Boundaries._space
        return True

    def _space(self) -> bool:
        """Read white space to its end."""
        start, text = self._at, self._text
        match = _SPACE.match(text, start)
        assert match is not None
        self._at = end = match.end()
        if line_ends := text.count("\n", start, end):
            self._line_ends += line_ends
            self._cut = text.rindex("\n", start, end) + 1
        self._ends = self._ends or end - self._gap > PIECE
        self._step = Boundaries._next if end < len(text) else Boundaries._space
        return end < len(text)

    def _next(self) -> bool:
        """At the first character after white space: whether a sentence starts here, and of which kind."""
        at, line_ends = self._at, self._line_ends
        end = self._cut if line_ends else at
        if self._has_body and (self._ends or line_ends > 1):
            self._give(end)
        if self._lacks(at + LOOK):
            return False
        block = _BLOCK.match(self._text, at) if line_ends else None
        if self._has_body and (block or (self._before and self._breaks())):
            self._give(end)
        self._step = Boundaries._prose
        if not self._has_body:
            self._has_body, self._body, self._ends = True, at, False
            kind = block.lastgroup if block else None
            self._in_heading = kind == "heading"
            if kind in {"fence", "row"}:
                self._ends = True
                self._step = Boundaries._open_fence if kind == "fence" else Boundaries._row
        return True

    def _open_fence(self) -> bool:
        match = _FENCE.match(self._text, self._at)
        assert match is not None
        if self._lacks(match.end() + 1):
            return False
        self._fence = match[0]
        self._at = match.end()
        self._step = Boundaries._code
        return True

    def _code(self) -> bool:
        """Inside a line of a fenced code block."""
        end = self._text.find("\n", self._at)
        self._at = end + 1 if end >= 0 else len(self._text)
        self._step = Boundaries._code if end < 0 else Boundaries._code_line
        return end >= 0

    def _code_line(self) -> bool:
        """At the start of a line of a fenced code block: whether it closes the block."""
        match = _CLOSING.match(self._text, self._at)
        assert match is not None
        end, fence = match.end(), match[1]
        if self._lacks(end + 1):
            return False
        line_ends = self._text[end : end + 1] in {"", "\n"}
        if line_ends and fence.startswith(self._fence) and not fence.strip(self._fence[0]):
            return self._enter_gap(end, ends=True)
        self._at = end
        self._step = Boundaries._code
        return True

    def _row(self) -> bool:
        end = self._text.find("\n", self._at)
        if end < 0:
            self._at = len(self._text)
            return False
        return self._enter_gap(end, ends=True)

    def _prose(self) -> bool:
        """Read on to the next character that means something here."""
        text, limit = self._text, self._body + PIECE
        match = _TOKEN.search(text, self._at, limit)
        if match is None:
            self._at = max(self._at, min(len(text), limit))
            if len(text) < limit:
                return False
            return self._enter_gap(text.rfind(" ", limit - _WORD, limit) + 1 or self._at, ends=True)
        place = self._at = match.start()
        sign = match[0]
        if sign == "\n":
            return self._enter_gap(place, ends=self._in_heading)
        if sign in _OPENS or sign in _CLOSES:
            if self._lacks(place + 2):
                return False
            self._range(sign, place)
            self._at = place + 1
            return True
        return self._stop(sign, place)

    def _range(self, sign: str, place: int) -> None:
        """Open or close a range of quotation marks or brackets."""
        if sign in _CLOSES and self._close(sign) is not None:
            return
        text = self._text
        if sign not in _OPENS or (sign in _TIGHT and text[place + 1 : place + 2].isspace()):
            return
        before = text[place - 1] if place > self._body else ""
        if sign == '"' and before.isascii() and before.isalnum():  # inches
            return
        self._opens = [*self._opens[1 - _DEEPEST_RANGE :], (_OPENS[sign], place)]

    def _close(self, sign: str) -> int | None:
        """Close what this closes; where it was opened."""
        for number in range(len(self._opens) - 1, -1, -1):
            closer, place = self._opens[number]
            if closer == _CLOSES[sign]:
                del self._opens[number:]
                return place
        return None

    def _stop(self, sign: str, place: int) -> bool:
        """At a full stop: whether it can end the sentence, with the quotation marks and the like after it."""
        text = self._text
        match = _AFTER.match(text, place + 1)
        assert match is not None
        end = match.end()
        if self._lacks(end + LOOK) and (_MARK_BEGUN.match(text, end) or not text[end].isspace()):
            return False
        end = self._read_closers(place + 1, match.end(1), end)
        self._at = end
        if self._opens and end - self._opens[-1][1] <= _LONGEST_RANGE:
            return True
        if not text[end : end + 1].strip():
            return self._enter_gap(end, before=text[max(self._body, place + 1 - _BACK) : place + 1])
        if not self._is_aside and self._ends_directly(sign, place, end):
            self._give(end)
            self._has_body, self._body = True, end
        return True

    def _read_closers(self, start: int, stop: int, end: int) -> int:
        """Close what the characters in `start:stop` close; where those end that belong to this sentence."""
        text, self._is_aside, self._closed = self._text, False, stop > start
        spaced = not text[end : end + 1].strip()
        for place in range(start, stop):
            sign = text[place]
            opened = self._close(sign) if sign in _CLOSES else None
            if opened is not None:
                in_front = text[self._body : opened] if opened - self._body < _BACK else "a"
                self._is_aside = _CLOSES[sign] in _ASIDE and bool(in_front) and not _MARKERS.fullmatch(in_front)
            elif not spaced and sign in _UNSURE and (sign != "*" or not text.count("**", self._body, place) % 2):
                return place
        return end

    def _ends_directly(self, sign: str, place: int, end: int) -> bool:
        """Whether a full stop without white space after it ends a sentence."""
        text = self._text
        if text[end] in _PERIOD or text[end] in _FULL:
            return False
        if sign not in _FULL:
            word = text[max(place - 2, 0) : place]
            japanese = _JAPANESE.match(text, end) and (sign in "!?" or _JAPANESE.match(word[-1:]))
            if not japanese and not (_GLUED.match(text, end) and word.isalpha() and word.islower()):
                return False
        return not (text[end - 1] in _QUOTED and _QUOTE_GOES_ON.match(text, end))

    def _breaks(self) -> bool:
        """Whether a full stop with white space after it ends a sentence."""
        before, ahead = self._before, self._text[self._at : self._at + LOOK]
        if self._is_aside or (self._closed and ahead[0].islower()) or _MARKERS.fullmatch(before):
            return False
        if before[-1] in _FULL:
            return True
        if _CITATION_GOES_ON.match(ahead) and _CITED.search(before):
            return False
        import sentencex

        before = _NOT_FOR_SENTENCEX.sub(" ", before.replace("…", "..."))
        end = 0
        for segment in sentencex.segment("en", f"{before} {_NOT_FOR_SENTENCEX.sub(' ', ahead).lstrip()}"):
            end += len(segment)
            if end >= len(before):
                return end <= len(before) + 1
        return False
