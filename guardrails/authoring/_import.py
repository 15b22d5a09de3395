"""Other people's rules as a constitution of ours, with their words kept and their origin noted.

Used by `guardrails import`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from guardrails._visible import visible
from guardrails.authoring._found import MAIN
from guardrails.authoring._import_csv import read_csv
from guardrails.authoring._import_json import is_papers, read_langchain_json, read_paper
from guardrails.authoring._import_langchain import read_langchain
from guardrails.authoring._import_markdown import read_markdown
from guardrails.authoring._import_rule import Foreign, Reader, Reading, is_japanese, shown
from guardrails.authoring._import_yaml import CannotBeKeptError, principle_text, text_lines
from guardrails.authoring._starter import check_name, plain_name, possible_id, write_new
from guardrails.errors import ConfigurationError, Problem

MAX_BYTES = 2_000_000
_SHOWN = 20
_MOST = 2_000
_LONGEST = 48
_LONGEST_TITLE = 200
_WINDOWS = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


class Format(StrEnum):
    """What an imported file holds."""

    PAPER = "constitutional-ai"
    LANGCHAIN = "langchain"
    MARKDOWN = "markdown"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Imported:
    """A constitution made of somebody else's rules.

    `principles` are its ids in the order of the file. `unread` says what of the file is not in it, and why.
    """

    folder: Path
    format: Format
    principles: tuple[str, ...]
    unread: tuple[Problem, ...]


def import_file(
    file: str | os.PathLike[str],
    name: str,
    folder: str | os.PathLike[str] | None = None,
    format: Format | None = None,  # noqa: A002 - the option's name
) -> Imported:
    """Read rules from a file, and write them as a constitution with this name into a new folder.

    The formats are the Constitutional AI paper's `CritiqueRevisionInstructions.json`, LangChain's principles (Python,
    which is parsed and not run, or JSON), lists in Markdown, and tables in CSV; without `format`, the file's name and
    form tell which. `folder` is named as the constitution where it is not given.

    Every rule becomes a principle: its critique and revision word for word, its severity `medium` where the file says
    none, its authority `unverified` with the file's name, its key there, and the file's SHA-256.

    Raises:
        ConfigurationError: the file cannot be read, no rule is in it, or the folder holds something already.
    """
    check_name(name)
    path = Path(file)
    raw = _bytes(path)
    text = _text(path, raw)
    kind = format or _format(path, text)
    reading = Reading(str(path))
    try:
        _reader(kind, path)(text, reading)
    except RecursionError as error:
        raise ConfigurationError(f"{path}: nested too deep to be read.") from error
    if len(reading.rules) > _MOST:
        raise ConfigurationError(f"{path}: {len(reading.rules):,} rules; a constitution holds {_MOST:,} at most.")
    principles = dict(_principles(reading, hashlib.sha256(raw).hexdigest()))
    if not principles:
        missed = [str(problem) for problem in reading.unread[:_SHOWN]]
        more = [f"and {len(reading.unread) - _SHOWN:,} more."] if len(reading.unread) > _SHOWN else []
        raise ConfigurationError("\n".join([f"{path}: no rule in it can be read as {kind.value}.", *missed, *more]))
    texts = {f"principles/{one}.yaml": content for one, content in principles.items()}
    written = write_new(Path(folder or name), {MAIN: _main(name, reading, path, kind), **texts})
    unread = tuple(sorted(reading.unread, key=lambda problem: problem.line))
    return Imported(written.folder, kind, tuple(principles), unread)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path} cannot be read: {getattr(error, 'strerror', error)}.") from error
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(f"{path} is larger than {MAX_BYTES:,} bytes. Import it in parts.")
    return raw


def _text(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        advice = "Save it as UTF-8; spreadsheet programs call that “CSV UTF-8”."
        raise ConfigurationError(f"{path} is not UTF-8 (byte {error.start}). {advice}") from error


def _format(path: Path, text: str) -> Format:
    kinds = {".py": Format.LANGCHAIN, ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN, ".txt": Format.MARKDOWN}
    kinds |= {".csv": Format.CSV, ".tsv": Format.CSV}
    ending = path.suffix.lower()
    if ending == ".json":
        return Format.PAPER if is_papers(text, str(path)) else Format.LANGCHAIN
    if ending not in kinds:
        names = ", ".join(kind.value for kind in Format)
        raise ConfigurationError(f"{path}: its name does not tell what it holds. Say --format and one of {names}.")
    return kinds[ending]


def _reader(kind: Format, path: Path) -> Reader:
    if kind is Format.LANGCHAIN:
        return read_langchain_json if path.suffix.lower() == ".json" else read_langchain
    readers: Mapping[Format, Reader] = {Format.PAPER: read_paper, Format.MARKDOWN: read_markdown, Format.CSV: read_csv}
    return readers[kind]


def _principles(reading: Reading, digest: str) -> Iterator[tuple[str, str]]:
    """Every rule's id and YAML; what cannot be kept is noted."""
    taken: set[str] = set()
    for number, rule in enumerate(reading.rules, 1):
        name = _unique(_id(rule, number), taken)
        provenance = f"imported from {Path(reading.file).name}, {rule.key}; SHA-256 of the file {digest}"
        try:
            yield name, principle_text(rule, name, provenance)
        except CannotBeKeptError as error:
            reading.miss(rule.line, f"{rule.key}: not imported: {error}.")
        else:
            taken.add(name)


def _id(rule: Foreign, number: int) -> str:
    """The file's own key as an id, else the title as one; a title in Japanese has none, and gets a number."""
    for text in (rule.key if rule.key != f"line {rule.line}" else "", rule.title):
        name = possible_id(text)
        if name and not is_japanese(text):
            short = name if len(name) <= _LONGEST else name[:_LONGEST].rpartition("-")[0] or name[:_LONGEST]
            return f"rule-{short}" if short.isdigit() or short in _WINDOWS else short
    return f"rule-{number:03}"


def _unique(name: str, taken: set[str]) -> str:
    number, unique = 1, name
    while unique in taken:
        number += 1
        unique = f"{name}-{number}"
    return unique


def _main(name: str, reading: Reading, path: Path, kind: Format) -> str:
    lines = [
        "# yaml-language-server: $schema=schema/constitution.json",
        "#",
        f"# Imported from {visible(path.name)} ({kind.value}).",
        "# Every principle needs a severity that a person chose, an authority that somebody looked up, and examples.",
        "",
        f"name: {plain_name(name)}",
        'version: "0.1.0"',
    ]
    if reading.title:
        lines.extend(text_lines("title", shown(reading.title, _LONGEST_TITLE)))
    return "\n".join(lines) + "\n"
