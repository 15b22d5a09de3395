"""YAML 1.2 with places: data, and for every key and value the line and column it stands at.

Called by `_load`. Safe by construction: nodes become plain values here, tags that would build
objects are mistakes, sizes, depth and aliases are limited.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml

from guardrails.constitution._template import is_template
from guardrails.errors import Problem

MAX_BYTES = 1_000_000
_MAX_DEPTH = 30
_MAX_VALUES = 100_000
_MAX_CHARACTERS = 2_000_000
_LONG_TEMPLATE = 250
_TEMPLATES = (300, 200)  # so many, and one more for each 200 bytes: compiling one takes half a millisecond

Path = tuple[str | int, ...]
Place = tuple[int, int]

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # a PyYAML built without libyaml: the same, slower
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

_NULL = re.compile(r"(?:~|null|Null|NULL|)")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)")
_INT = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass
class Document:
    """One parsed file: its data, the place of every value and key, and the mistakes found.

    `written` has, for scalars that are no text, how they were written.
    """

    file: str
    data: Any = None
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    written: dict[Path, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def problem(self, path: Path, message: str, advice: str = "", *, key: bool = False) -> Problem:
        """A mistake at a path; where the path itself is missing, at its nearest parent."""
        if key and path in self.keys:
            return Problem(self.file, *self.keys[path], message, advice)
        while path and path not in self.values:
            path = path[:-1]
        return Problem(self.file, *self.values.get(path, (1, 1)), message, advice)


def parse(raw: bytes, file: str) -> Document:
    """Parse one file; its mistakes are in the document's `problems`."""
    document = Document(file)
    if len(raw) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES:,} bytes."
        document.problems.append(Problem(file, 0, 0, message, "Put each principle in a file of its own."))
        return document
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        document.problems.append(Problem(file, 0, 0, f"not UTF-8 (byte {error.start}).", "Save the file as UTF-8."))
        return document
    try:
        _Reader(document, yaml.parse(text, Loader=_Loader), _TEMPLATES[0] + len(raw) // _TEMPLATES[1]).read_document()
    except UnicodeDecodeError:  # libyaml decodes the %-escapes of a tag, and not all of them are characters
        document.problems.append(Problem(file, 0, 0, "not YAML: a tag that is no text.", "Remove the tag."))
    except yaml.YAMLError as error:
        document.problems.append(_syntax(error, file, text))
    except _TooMuchError:
        pass  # the reader has noted it
    return document


def _syntax(error: yaml.YAMLError, file: str, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        # Its position counts bytes or characters, by the parser; the first such character is the one.
        before = text.partition(chr(error.character))[0].split("\n")
        character = f"U+{int(error.character):04X}"
        return Problem(
            file, len(before), len(before[-1]) + 1, f"not YAML: the control character {character}.", "Remove it."
        )
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    wrong = str(getattr(error, "problem", None) or error)
    advice = ""
    if "cannot start any token" in wrong or "mapping values are not allowed" in wrong:
        advice = "Put text that holds : # % @ ` or quotes in 'single quotes'."
    elif "could not find expected" in wrong or "did not find expected" in wrong or "expected <block end>" in wrong:
        advice = "Check the indentation, and that brackets and quotes are closed."
    return Problem(file, line, column, f"not YAML: {wrong}.", advice)


class _TooMuchError(Exception):
    """The file goes on beyond a limit; reading it stops here."""


class _Amount(NamedTuple):
    """How much a value holds, itself and all that is in it."""

    values: int = 0
    characters: int = 0
    templates: int = 0

    def and_(self, more: _Amount) -> _Amount:
        return _Amount(self[0] + more[0], self[1] + more[1], self[2] + more[2])

    def since(self, before: _Amount) -> _Amount:
        return _Amount(self[0] - before[0], self[1] - before[1], self[2] - before[2])


class _Reader:
    """Builds plain values from parser events, one by one.

    PyYAML's own composer is not used: it recurses in C and ends the process on deeply nested input.
    """

    def __init__(self, document: Document, events: Iterator[Any], most_templates: int) -> None:
        self._document = document
        self._events = events
        self._anchors: dict[str, tuple[Any, _Amount]] = {}
        self._read = _Amount()
        self._most = _Amount(_MAX_VALUES, _MAX_CHARACTERS, most_templates)

    def read_document(self) -> None:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return
        self._document.data = self._value(next(self._events), ())
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._problem(_place(after), "a second document begins here.", "Put it in a file of its own.")

    def _value(self, event: Any, path: Path) -> Any:
        place = _place(event)
        self._document.values[path] = place
        before = self._read
        self._counted(_Amount(1), place)
        if len(path) > _MAX_DEPTH:
            self._problem(place, f"nested more than {_MAX_DEPTH} deep.", "")
            raise _TooMuchError
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        if isinstance(event, yaml.MappingStartEvent):
            self._untagged(event, "map", place)
            value: Any = dict(self._pairs(path))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._untagged(event, "seq", place)
            value = list(self._items(path))
        else:
            value = self._scalar(event, path, place)
        if event.anchor:
            self._anchors[event.anchor] = (value, self._read.since(before))
        return value

    def _items(self, path: Path) -> Iterator[Any]:
        index = 0
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._value(event, (*path, index))
            index += 1

    def _pairs(self, path: Path) -> Iterator[tuple[str, Any]]:
        seen: dict[str, Place] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            place = _place(event)
            if not isinstance(event, yaml.ScalarEvent):
                self._problem(place, "a key is a word, not a list, a mapping or an alias.", "")
                raise _TooMuchError
            key = str(event.value)
            if key in seen:
                self._problem(
                    place, f"duplicate key {key!r}; it already stands in line {seen[key][0]}.", "Keep one of them."
                )
                self._value(next(self._events), (*path, f"{key} again"))
                continue
            seen[key] = self._document.keys[*path, key] = place
            yield key, self._value(next(self._events), (*path, key))

    def _alias(self, event: yaml.AliasEvent, place: Place) -> Any:
        if event.anchor not in self._anchors:
            self._problem(place, f"the alias *{event.anchor} has no anchor before it.", "Write the value out.")
            return None
        value, size = self._anchors[event.anchor]
        self._counted(size, place)
        return value

    def _scalar(self, event: yaml.ScalarEvent, path: Path, place: Place) -> Any:
        self._untagged(event, "str", place)
        text = str(event.value)
        self._counted(_Amount(0, len(text), 1 + len(text) // _LONG_TEMPLATE if is_template(text) else 0), place)
        value = _plain(text) if event.implicit[0] and event.tag is None else text
        if value is not text:
            self._document.written[path] = text
        return value

    def _untagged(self, event: Any, kind: str, place: Place) -> None:
        if event.tag not in {None, "!", f"tag:yaml.org,2002:{kind}"}:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._problem(place, f"the tag {tag} is not allowed: constitutions hold plain data.", "Remove the tag.")

    def _counted(self, more: _Amount, place: Place) -> None:
        self._read = self._read.and_(more)
        for kind, read, most in zip(_Amount._fields, self._read, self._most, strict=True):
            if read > most:
                advice = (
                    "Write it without the aliases." if self._anchors else "Put each principle in a file of its own."
                )
                self._problem(place, f"more than {most:,} {kind}, aliases counted.", advice)
                raise _TooMuchError

    def _problem(self, place: Place, message: str, advice: str) -> None:
        self._document.problems.append(Problem(self._document.file, *place, message, advice))


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _plain(text: str) -> Any:
    """An unquoted scalar, by the core schema of YAML 1.2 (chapter 10.3): no `on`, no `yes`, no dates."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
