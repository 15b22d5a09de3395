"""A text as numbered sentences: the unit that judges cite, revisers edit and streams release.

`split` is lossless: `"".join(split(text)) == text` for every string. Sentence boundaries come from
`sentencex` (Wikimedia's rules for some 300 languages); Markdown blocks, code fences and the bounded
pieces that keep long Japanese paragraphs linear are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

# sentencex is quadratic in a paragraph of non-ASCII text, so it is fed pieces of this many characters.
_PIECE = 2_000
_MOST_COMPARED = 250_000

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})")
_MARKER = re.compile(r"\s*(?:(?:[-*+•・]|\d{1,3}[.)]|#{1,6}|>)[ \t\u3000]+)+|\s*[・•]\s*|\s+")
_ITEM = re.compile(r"\s*(?:(?:[-*+•]|\d{1,3}[.)]|>)[ \t\u3000]|[・•])")
_ALONE = re.compile(r"\s*(?:#{1,6}[ \t\u3000]|\||$)")
_WHOLE = re.compile(r"[ \t]*(?:`{3}|~{3}|\|)")
_QUOTE_GOES_ON = re.compile(r"(?:と(?!ころ)|って|という|など|は|が|を|に|も|の|で)")
_ENDS_QUOTED = re.compile(r"[。．!?！？][」』）)\"”]$")
_CITED = re.compile(
    r"(?:^|[\s(])(?:F|Fed|Supp|App|Cir|Ct|R|Civ|Crim|P|Evid|Bankr|Stat|Rev|Bus|Prof|Gov|Ins|Corp|Fin|Code|Const|Reg"
    r"|Regs|Ed|Cas|Div|Super|Cal|Rptr|N\.Y\.S|S\.W|N\.E|N\.W|S\.E|So|A|L|Ltd|art|arts|para|sec)\. $"
)
_CITATION_GOES_ON = re.compile(r"\d|[&§]|[A-Z][\w.]{0,6}\. |\([A-Z\d]")
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    sentences: list[list[str]] = []
    open_ended = True
    for segment in _segments(text):
        # White space alone is not a sentence: it belongs to the one before, or the one after.
        if sentences and (open_ended or not segment.strip() or _continues(sentences[-1], segment)):
            sentences[-1].append(segment)
        else:
            sentences.append([segment])
        open_ended = open_ended and not segment.strip()
    return tuple("".join(pieces) for pieces in sentences)


def apply(text: str, edits: Iterable[Edit], append: str | None = None) -> str:
    r"""Apply edits to the numbered sentences of a text, and append a sentence if one is given.

    An edited sentence keeps its list marker and its trailing white space; every other sentence stays
    byte for byte as it was.

    Raises:
        EditError: a sentence that does not exist, or two edits of the same one.

    >>> apply("- It is safe.\n- It is cheap.", [Edit(1, "It can fall."), Edit(2, "")])
    '- It can fall.\n'
    """
    sentences = list(split(text))
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


def _segments(text: str) -> Iterator[str]:
    for block in _blocks(text):
        if _WHOLE.match(block):
            yield block
            continue
        start = _body_start(block)
        first, *rest = list(_sentencex(block[start:])) or [""]
        yield block[:start] + first
        yield from rest


def _blocks(text: str) -> Iterator[str]:
    """Fenced code, list items, headings and table rows stand alone; other lines join their neighbours."""
    block, fence = "", ""
    for line in _LINE.findall(text):
        opening = _FENCE.match(line)
        if fence:
            block += line
            closes = opening is not None and opening[1].startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if closes else fence
            ends = closes
        else:
            fence = opening[1] if opening else ""
            starts = bool(fence or _ITEM.match(line) or _ALONE.match(line))
            if starts and block:
                yield block
            block = line if starts else block + line
            ends = not fence and bool(_ALONE.match(line))
        if ends:
            yield block
            block = ""
    if block:
        yield block


def _sentencex(text: str) -> Iterator[str]:
    if not text:
        return
    import sentencex

    rest = text
    while rest:
        piece, rest = rest[:_PIECE], rest[_PIECE:]
        # Its Rust core refuses lone surrogates; a stand-in of one character keeps the offsets.
        segments = sentencex.segment("en", _SURROGATE.sub("\ufffd", piece))
        if rest and len(segments) > 1:  # the last one may go on in the next piece
            cut = segments.pop()
            rest = piece[len(piece) - len(cut) :] + rest
        start = 0
        for segment in segments:
            yield piece[start : start + len(segment)]
            start += len(segment)


def _continues(pieces: Sequence[str], segment: str) -> bool:
    """Whether a boundary is none: in a citation (15 F. Supp. 3d 100), or before a particle (「…です。」と言った)."""
    before = pieces[-1]
    if _CITED.search(before):
        goes_on = _CITATION_GOES_ON.match(segment)
    else:
        goes_on = _ENDS_QUOTED.search(before) and _QUOTE_GOES_ON.match(segment)
    return bool(goes_on) and sum(map(len, pieces)) + len(segment) <= _PIECE
