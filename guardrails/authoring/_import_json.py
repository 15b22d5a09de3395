"""Pairs of critique and revision in JSON: those of the Constitutional AI paper, and LangChain's principles.

The paper's file is an object: `{"harmful0": {"prompt": ["…"], "edit_request": "…"}, …}`, each text in the words that
frame it in a prompt. LangChain's is a list or an object of `{"name": …, "critique_request": …, "revision_request": …}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from guardrails.authoring._import_rule import Foreign, Reading
from guardrails.errors import ConfigurationError

PAPER_FILE = "CritiqueRevisionInstructions.json"
_PAPER = "Bai et al. 2022, Constitutional AI (arXiv:2212.08073)"
_CRITIQUE = ("\n\nCritiqueRequest: ", "\n\nCritique:")
_REVISION = ("\n\nRevisionRequest: ", "\n\nRevision:")
_SPACE = re.compile(r"[ \t\r\n]*")


def is_papers(text: str, file: str) -> bool:
    """Whether a JSON text has the form of the paper's file rather than LangChain's.

    Raises:
        ConfigurationError: it is no JSON.
    """
    return any(isinstance(entry, dict) and "edit_request" in entry for _, entry, _ in _entries(text, file))


def read_paper(text: str, reading: Reading) -> None:
    """Read the paper's file; the framing words are taken off, and everything between them stays as it is."""
    is_known = PurePath(reading.file).name == PAPER_FILE
    for key, entry, line in _entries(text, reading.file):
        prompt = entry.get("prompt") if isinstance(entry, dict) else None
        critique = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        revision = entry.get("edit_request") if isinstance(entry, dict) else None
        if not (isinstance(critique, str) and isinstance(revision, str) and isinstance(key, str)):
            reading.miss(line, f"{key}: not of the form {{prompt: [text], edit_request: text}}.")
            continue
        _others(entry, {"prompt", "edit_request"}, key, line, reading)
        cite = f"{_PAPER}, {PAPER_FILE}, {key}" if is_known else f"{PurePath(reading.file).name}, {key}"
        reading.rules.append(
            Foreign(
                key,
                line,
                key,
                critique=_unframed(critique, _CRITIQUE),
                revision=_unframed(revision, _REVISION),
                cite=cite,
            )
        )


def read_langchain_json(text: str, reading: Reading) -> None:
    """Read LangChain's principles as JSON."""
    for key, entry, line in _entries(text, reading.file):
        parts = entry if isinstance(entry, dict) else {}
        name = parts.get("name", key)
        critique, revision = parts.get("critique_request"), parts.get("revision_request", "")
        if not (isinstance(critique, str) and isinstance(revision, str) and isinstance(name, str | int)):
            reading.miss(
                line, f"{key}: not of the form {{name: text, critique_request: text, revision_request: text}}."
            )
            continue
        _others(parts, {"name", "critique_request", "revision_request"}, name, line, reading)
        title = str(key) if isinstance(key, str) else str(name)
        cite = f"{PurePath(reading.file).name}, {title}"
        reading.rules.append(Foreign(title, line, title, critique=critique, revision=revision, cite=cite))


def _unframed(text: str, frame: tuple[str, str]) -> str:
    return text.removeprefix(frame[0]).removesuffix(frame[1])


def _others(entry: Mapping[str, Any], known: set[str], key: object, line: int, reading: Reading) -> None:
    for other in sorted(entry.keys() - known):
        reading.miss(line, f"{key}: the key {other!r} is not read.")


def _entries(text: str, file: str) -> Iterator[tuple[str | int, Any, int]]:
    """The entries of an object or a list, each with its key or number and its line; a key may stand twice."""
    decoder = json.JSONDecoder(object_pairs_hook=_every)
    try:
        whole = decoder.decode(text)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"{file}:{error.lineno}:{error.colno}: not JSON: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file}: not JSON that can be read ({type(error).__name__}).") from error
    if not isinstance(whole, dict | list):
        raise ConfigurationError(f"{file}: not an object or a list of principles.")
    at, number, line, counted = _after(text, _after(text, 0) + 1), 0, 1, 0
    while text[at] not in "]}":
        number += 1
        line, counted = line + text.count("\n", counted, at), at
        key: str | int = number
        if isinstance(whole, dict):
            key, at = decoder.raw_decode(text, at)
            at = _after(text, _after(text, at) + 1)
        entry, at = decoder.raw_decode(text, at)
        yield key, entry, line
        at = _after(text, at)
        at = _after(text, at + 1) if text[at] == "," else at


def _after(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _every(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which nothing is lost that stands twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[f"{key} (again)" if key in found else key] = value
    return found
