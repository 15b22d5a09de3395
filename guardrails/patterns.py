"""Sets of RE2 patterns over sentences, and the excuses that make a match a mere mention.

RE2 matches in linear time, so that no pattern and no text can hang a service. Patterns see one
sentence at a time as `guardrails.views` shows it, case ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_PATTERN = 2_000
"""Characters in one pattern."""
MAX_EFFORT = 1_000_000
"""What compiling all patterns of a constitution may cost, and five more for each byte read; see `Effort`."""
_EFFORT_PER_BYTE = 5
_PATTERN_MEMORY = 1 << 20
_PATTERN_COST, _CLASS_COST, _MISTAKE_COST, _TOO_LARGE_COST = 250, 600, 500, 30_000
_UNICODE_CLASS = re.compile(r"\\[pP]")
_SET_SIZE = 50
_SET_MEMORY = 64 << 20
_MOST_MATCHES = 100
_PROBES = ("", "a 1", "あ、1")

_CLAUSE_END = re.compile(
    r"[,.;:!?](?=\s|$)|[()\[\]|—、。]| - |\b(?:but|yet|whereas|however|while|though|although|because|since)\b",
    re.IGNORECASE,
)
_CLAUSE_REACH = 300
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_WORDS_BEFORE = 3
# Words that look like a negation and are none: "not only guaranteed, but …", "no doubt".
_NO_NEGATION = re.compile(
    r"\b(?:not (?:only|just|merely|simply|to mention)|no (?:doubt|question|wonder|matter)|nothing but|why not)\b"
)
_QUOTED = re.compile(
    r"\"[^\"]{1,400}\"|「[^」]{1,400}」|『[^』]{1,400}』|«[^»]{1,400}»"
    r"|(?:^|(?<=[\s(]))'(?=\S)[^\"]{1,400}?(?<=\S)'(?=$|[\s.,;:!?)])"
)
_WRAPPED = re.compile(r"^[\"「『«'](.*)[\"」』»'][\s。.]*$", re.DOTALL)


class PatternError(ValueError):
    """A pattern that cannot be used; the message says what is wrong and what to write."""


class PatternTooLargeError(PatternError):
    """A pattern that takes too much memory."""


@dataclass(frozen=True, slots=True)
class Unless:
    """What excuses a match: a word just before it, the shape of its sentence, or quotation marks.

    `before` holds words, looked for among the three words before the match and in the same clause, so
    that a negation far away excuses nothing; `not` stands for every word in n't as well. `clause` holds
    patterns over the match's own clause, `sentence` over the whole sentence. `quoted` excuses a match
    inside quotation marks, unless the quotation is the whole sentence.
    """

    before: frozenset[str] = frozenset()
    clause: tuple[str, ...] = ()
    sentence: tuple[str, ...] = ()
    quoted: bool = False

    def excuses(self, text: str, start: int, end: int) -> bool:
        """Whether the match at `start:end` of a viewed sentence is excused."""
        # A match may begin with the comma that ends the clause before: its own begins at its first word.
        word = _WORD.search(text, start, end)
        if self.before and self.before & set(_words_before(text, word.start() if word else start)):
            return True
        if self.clause:
            clause = _clause(text, word.start() if word else start, end)
            if any(compiled(pattern).search(clause) for pattern in self.clause):
                return True
        if self.quoted and not _WRAPPED.match(text) and _inside_quotes(text, start, end):
            return True
        return any(compiled(pattern).search(text) for pattern in self.sentence)


class Effort:
    """What compiling patterns has cost, in RE2's instructions; a Unicode class costs most, for its size in memory.

    A short pattern can be large: `.{999}` has 8,000 instructions. It counts the same whether the pattern is
    in the cache or not.

    >>> effort = Effort()
    >>> effort.compile("guaranteed")
    >>> effort.spent
    264
    """

    def __init__(self) -> None:
        self.spent = 0
        self._most = MAX_EFFORT
        self._known: set[str] = set()

    def read(self, size: int) -> None:
        """So many bytes more were read, whose patterns may cost as much more."""
        self._most += _EFFORT_PER_BYTE * size

    def compile(self, pattern: str) -> None:
        """Compile a pattern of the constitution.

        Raises:
            PatternError: as `compiled` does; or the patterns so far are too large together.
        """
        if pattern in self._known:
            return
        if self.spent > self._most:
            raise PatternError(
                "the patterns up to here are too many or too large together. Repeat less: .{0,40} instead of .{999}."
            )
        self.spent += _PATTERN_COST + _CLASS_COST * len(_UNICODE_CLASS.findall(pattern[:MAX_PATTERN]))
        try:
            self.spent += compiled(pattern).programsize
        except PatternError as error:
            self.spent += _TOO_LARGE_COST if isinstance(error, PatternTooLargeError) else _MISTAKE_COST
            raise
        self._known.add(pattern)


class PatternSet:
    """Many patterns, matched in one sweep over a text.

    The set is cut into parts, each with its own memory limit. RE2 answers a part that ran out of memory as
    if nothing matched; so each part holds a pattern that matches everything, and where even that one is
    missing, its patterns are searched one by one, which needs no such memory.
    """

    def __init__(self, patterns: Sequence[str], *, memory: int = _SET_MEMORY) -> None:
        starts = range(0, len(patterns), _SET_SIZE)
        parts = [patterns[start : start + _SET_SIZE] for start in starts]
        self._parts = [(start, part, _compiled_set(part, memory)) for start, part in zip(starts, parts, strict=True)]

    def match(self, text: str) -> list[int]:
        """The indexes of the patterns found in a viewed text, in order.

        >>> PatternSet(["fell", "rose", "5%"]).match("it rose by 5%")
        [1, 2]
        """
        found: list[int] = []
        encoded = text.encode("utf-8", "replace")
        for start, patterns, part in self._parts:
            indexes = sorted(part.Match(encoded)) if part else []  # RE2 gives them in no order
            if indexes[:1] == [0]:
                found.extend(start + index - 1 for index in indexes[1:])
            else:
                found.extend(start + index for index, one in enumerate(patterns) if compiled(one).search(text))
        return found


def spans(pattern: str, text: str, unless: Unless | None = None) -> Iterator[re.Match[str]]:
    """The matches of a pattern in a viewed sentence that nothing excuses.

    After an excused match the search goes on one character later, so that an excused match cannot hide
    the one that begins inside it. Of a sentence made of nothing but matches the first hundred are given:
    they settle it, and each further search would read the whole sentence again.
    """
    expression, position, excused, given = compiled(pattern), 0, 0, 0
    while given < _MOST_MATCHES and (match := expression.search(text, position)) is not None:
        if unless and excused < _MOST_MATCHES and unless.excuses(text, *match.span()):
            excused += 1
            position = match.start() + 1
        else:
            given += 1
            yield match
            position = max(match.end(), match.start() + 1)


def compiled(pattern: str) -> Any:
    """A compiled pattern; compiling is cached.

    Raises:
        PatternError: not RE2, too long, or able to match the empty string.
    """
    expression = _CACHE.get(pattern)
    if expression is None:
        expression = _CACHE[pattern] = _compile(pattern)
    return expression


_CACHE: dict[str, Any] = {}


def _compile(pattern: str) -> Any:
    import re2

    if "\b" in pattern:
        raise PatternError(
            r"the pattern holds a backspace: in double quotes \b is one. Put the pattern in 'single quotes'."
        )
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"the pattern has {len(pattern):,} characters; {MAX_PATTERN:,} at most. Cut it in several.")
    try:
        expression = re2.compile(pattern, _options(_PATTERN_MEMORY))
    except re2.error as error:
        if "too large" in (detail := _detail(error)):
            raise PatternTooLargeError("the pattern is too large. Repeat less, or cut it in several.") from None
        raise PatternError(_advice(detail)) from None
    if any(match.start() == match.end() for probe in _PROBES for match in expression.finditer(probe)):
        raise PatternError("the pattern matches the empty string, and so every sentence. Make a part of it mandatory.")
    return expression


def _detail(error: Exception) -> str:
    return error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)


def _advice(detail: str) -> str:
    if "(?=" in detail or "(?!" in detail or "(?<" in detail:
        return (
            f"the pattern uses a lookaround ({detail}), which RE2 does not have. "
            "Match the words themselves, and say what excuses a match under `unless:`."
        )
    return f"the pattern is not RE2: {detail}. See https://github.com/google/re2/wiki/Syntax."


def _options(memory: int) -> Any:
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = memory
    return options


def _compiled_set(patterns: Iterable[str], memory: int) -> Any:
    """The patterns as one set, or None where they do not fit in the memory."""
    import re2

    part = re2.Set.SearchSet(_options(memory))
    part.Add("")
    try:
        for pattern in patterns:
            part.Add(pattern)
        part.Compile()
    except re2.error:
        return None
    return part


def _words_before(text: str, start: int) -> Iterator[str]:
    clause = _CLAUSE_END.split(text[max(0, start - _CLAUSE_REACH) : start])[-1].lower()
    for word in _WORD.findall(_NO_NEGATION.sub(" ", clause))[-_WORDS_BEFORE:]:
        yield word
        if word.endswith("n't") or word == "cannot":
            yield "not"


def _clause(text: str, start: int, end: int) -> str:
    """The clause around a match: what no comma, colon or bracket, and no "but", cuts off."""
    before = _CLAUSE_END.split(text[max(0, start - _CLAUSE_REACH) : start])[-1]
    after = _CLAUSE_END.split(text[end : end + _CLAUSE_REACH])[0]
    return before + text[start:end] + after


def _inside_quotes(text: str, start: int, end: int) -> bool:
    return any(opening < start and end < closing for opening, closing in _quotes(text))


@lru_cache(maxsize=4)  # asked for each match of one sentence in turn
def _quotes(text: str) -> tuple[tuple[int, int], ...]:
    return tuple(quote.span() for quote in _QUOTED.finditer(text))
