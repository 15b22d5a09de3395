"""From a name or a path to checked files: every mistake with its file, line and column, all at once.

Called by `_compile`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from guardrails.constitution._mistakes import did_you_mean, problems
from guardrails.constitution._schema import ConstitutionFile, Principle
from guardrails.constitution._yaml import MAX_BYTES, Document, parse
from guardrails.errors import ConstitutionError, Problem

_MAIN = "constitution.yaml"
_MAX_FILES = 2_000
_Loaded = TypeVar("_Loaded", bound=BaseModel)


@dataclass(frozen=True)
class Placed:
    """A principle, and where it was written."""

    principle: Principle
    document: Document
    base: tuple[str | int, ...] = ()


@dataclass(frozen=True)
class Source:
    """One constitution as written: its main file, its principles, and the sources it extends."""

    file: ConstitutionFile
    document: Document
    principles: tuple[Placed, ...]
    parents: tuple[Source, ...]


def shipped() -> dict[str, Path]:
    """The constitutions that come with the library, by name.

    A wheel carries them inside the package; in a checkout they stand beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside, beside = package / "constitutions", package.parent / "constitutions"
    folder = inside if inside.is_dir() else beside
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{_MAIN}"))}


def load(source: str | os.PathLike[str]) -> Source:
    """Read a shipped name, a folder or a file, with everything it extends.

    Raises:
        ConstitutionError: with all the mistakes of all its files.
    """
    found: list[Problem] = []
    path = _find(source, None)
    if path is None:
        raise ConstitutionError([Problem(os.fspath(source), 0, 0, *_nowhere(os.fspath(source)))])
    loaded = _source(path, (), found)
    if found or loaded is None:
        raise ConstitutionError(found)
    return loaded


def _nowhere(name: str) -> tuple[str, str]:
    return "no such constitution.", f"{did_you_mean(name, shipped())} A folder or file is given by its path: ./{name}"


def _find(source: str | os.PathLike[str], base: Path | None) -> Path | None:
    if isinstance(source, str) and source in shipped():
        return shipped()[source]
    path = Path(source) if base is None else base / source
    if path.name == _MAIN and path.is_file():
        path = path.parent
    return path if path.exists() else None


def _source(path: Path, chain: tuple[Path, ...], found: list[Problem]) -> Source | None:
    before = len(found)
    main, files = _files(path, found)
    if main is None:
        return None
    document = _read(main, found)
    file = _validated(ConstitutionFile, document, document.data, (), found)
    principles = list(_own(file, document)) if file else []
    for principle_path in files:
        principles.extend(_principle(principle_path, found))
    parents = list(_parents(file, document, (*chain, path.resolve()), found)) if file else []
    if file is None or len(found) > before:
        return None
    _no_twins(principles, found)
    return Source(file, document, tuple(principles), tuple(parents))


def _files(path: Path, found: list[Problem]) -> tuple[Path | None, list[Path]]:
    if not path.is_dir():
        return path, []
    main = path / _MAIN
    if not main.is_file():
        advice = f"A constitution is a folder with {_MAIN} and principles/*.yaml, or one YAML file with `principles:`."
        found.append(Problem(str(path), 0, 0, f"there is no {_MAIN} in this folder.", advice))
        return None, []
    folder = path / "principles"
    strays = sorted(folder.glob("**/*.yml"))
    found.extend(Problem(str(stray), 0, 0, "this file would not be read.", "Name it .yaml.") for stray in strays)
    files = sorted(folder.glob("**/*.yaml"))
    if len(files) > _MAX_FILES:
        found.append(Problem(str(folder), 0, 0, f"{len(files):,} files; {_MAX_FILES:,} at most."))
        return None, []
    return main, files


def _read(path: Path, found: list[Problem]) -> Document:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)  # no more: a file of gigabytes must not be read to be refused
    except OSError as error:
        document = Document(str(path))
        document.problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror}."))
    else:
        document = parse(raw, str(path))
        if document.data is None and not document.problems:
            document.problems.append(
                document.problem((), "the file is empty.", "See docs/constitutions.md for its form.")
            )
    found.extend(document.problems)
    return document


def _validated(
    model: type[_Loaded], document: Document, data: Any, base: tuple[str | int, ...], found: list[Problem]
) -> _Loaded | None:
    if data is None:
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found.extend(sorted(problems(error, model, document, base), key=lambda p: (p.line, p.column)))
        return None


def _own(file: ConstitutionFile, document: Document) -> Iterator[Placed]:
    for index, principle in enumerate(file.principles):
        yield Placed(principle, document, ("principles", index))


def _principle(path: Path, found: list[Problem]) -> Iterator[Placed]:
    document = _read(path, found)
    principle = _validated(Principle, document, document.data, (), found)
    if principle is None:
        return
    if principle.id != path.stem:
        message = f"the id {principle.id!r} is not the file's name."
        found.append(document.problem(("id",), message, f"Write `id: {path.stem}`, or rename the file."))
    yield Placed(principle, document)


def _parents(
    file: ConstitutionFile, document: Document, chain: tuple[Path, ...], found: list[Problem]
) -> Iterator[Source]:
    base = Path(document.file).parent
    for index, name in enumerate(file.extends):
        path = _find(name, base)
        place = ("extends", index)
        if path is None:
            found.append(document.problem(place, f"{name!r}: {_nowhere(name)[0]}", _nowhere(name)[1]))
        elif path.resolve() in chain:
            names = " -> ".join([*(p.name for p in chain), path.resolve().name])
            found.append(document.problem(place, f"extends itself: {names}.", "Remove one of the `extends`."))
        else:
            parent = _source(path, chain, found)
            if parent is not None:
                yield parent


def _no_twins(principles: list[Placed], found: list[Problem]) -> None:
    first: dict[str, Placed] = {}
    for placed in principles:
        twin = first.setdefault(placed.principle.id, placed)
        if twin is not placed:
            line = twin.document.values.get((*twin.base, "id"), (1, 1))[0]
            message = f"the id {placed.principle.id!r} already stands in {twin.document.file}:{line}."
            found.append(placed.document.problem((*placed.base, "id"), message, "Give one of them another id."))
