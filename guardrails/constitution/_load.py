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
    """One constitution as written: its main file, its principles, and the sources it extends.

    `broken` are ids of principles with mistakes, so that a reference to one is not a further mistake.
    """

    file: ConstitutionFile
    document: Document
    principles: tuple[Placed, ...]
    parents: tuple[Source, ...]
    broken: frozenset[str] = frozenset()


def shipped() -> dict[str, Path]:
    """The constitutions that come with the library, by name.

    A wheel carries them inside the package; in a checkout they stand beside it.
    """
    package = Path(__file__).resolve().parent.parent
    inside, beside = package / "constitutions", package.parent / "constitutions"
    folder = inside if inside.is_dir() else beside
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{_MAIN}"))}


def load(source: str | os.PathLike[str], found: list[Problem]) -> Source:
    """Read a shipped name, a folder or a file, with everything it extends.

    Mistakes are added to `found`; what they leave is returned, so that its own can be found as well.

    Raises:
        ConstitutionError: nothing is left.
    """
    path = _find(source, None)
    if path is None:
        raise ConstitutionError([Problem(os.fspath(source), 0, 0, *_nowhere(os.fspath(source)))])
    loaded = _source(path, (), found)
    if loaded is None:
        raise ConstitutionError(found)
    return loaded


def _nowhere(name: str) -> tuple[str, str]:
    if "/" in name or name.endswith(".yaml"):
        return "no such constitution.", "Nothing stands at this path; `extends` reads it from its own file's folder."
    return "no such constitution.", f"{did_you_mean(name, shipped())} A folder or file is given by its path: ./{name}"


def _find(source: str | os.PathLike[str], base: Path | None) -> Path | None:
    if isinstance(source, str) and source in shipped():
        return shipped()[source]
    path = Path(source) if base is None else base / source
    try:
        if path.name == _MAIN and path.is_file():
            path = path.parent
        return path if path.exists() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _source(path: Path, chain: tuple[Path, ...], found: list[Problem]) -> Source | None:
    main, files = _files(path, found)
    if main is None:
        return None
    document = _read(main, found)
    listed = document.data.pop("principles", None) if isinstance(document.data, dict) else None
    file = _validated(ConstitutionFile, document, document.data, (), found)
    if file is None:
        return None
    read: list[Placed | str] = list(_listed(document, listed, found))
    read.extend(_principle(principle_path, found) for principle_path in files)
    principles = [placed for placed in read if isinstance(placed, Placed)]
    broken = frozenset(name for name in read if isinstance(name, str))
    _no_twins(principles, found)
    parents = _parents(file, document, (*chain, path.resolve()), found)
    return Source(file, document, tuple(principles), tuple(parents), broken)


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
    """The data as a model; where unknown keys are all that is wrong, as if they were not there."""
    if data is None:
        return None
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found.extend(sorted(problems(error, model, document, base), key=lambda p: (p.line, p.column)))
        unknown = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden" and len(one["loc"]) == 1]
    if not unknown:
        return None
    known = {key: value for key, value in data.items() if (key,) not in unknown}
    try:
        return model.model_validate(known)
    except ValidationError:
        return None


def _listed(document: Document, listed: Any, found: list[Problem]) -> Iterator[Placed | str]:
    """The principles that stand in the main file; of those with mistakes, the id."""
    if listed is not None and not isinstance(listed, list):
        found.append(document.problem(("principles",), "this must be a list.", "Begin each principle with a hyphen."))
        return
    for index, data in enumerate(listed or ()):
        base = ("principles", index)
        principle = _validated(Principle, document, data, base, found)
        if data is None:
            found.append(document.problem(base, "a principle is empty.", "Write its keys, or remove the hyphen."))
        yield Placed(principle, document, base) if principle else _id_of(data)


def _principle(path: Path, found: list[Problem]) -> Placed | str:
    document = _read(path, found)
    principle = _validated(Principle, document, document.data, (), found)
    if principle is None:
        return path.stem
    if principle.id != path.stem:
        message = f"the id {principle.id!r} is not the file's name."
        found.append(document.problem(("id",), message, f"Write `id: {path.stem}`, or rename the file."))
    return Placed(principle, document)


def _id_of(data: Any) -> str:
    return str(data.get("id")) if isinstance(data, dict) else ""


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
