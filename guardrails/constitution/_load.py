"""From a name or a path to checked files: every mistake with its file, line and column, all at once.

Called by `_compile`.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from guardrails.constitution._mistakes import MAX_MISTAKES, did_you_mean, problems
from guardrails.constitution._schema import ConstitutionFile, Principle
from guardrails.constitution._yaml import MAX_BYTES, Document, parse
from guardrails.errors import ConstitutionError, Problem
from guardrails.patterns import Effort

_MAIN = "constitution.yaml"
_MAX_FILES = 2_000
_MAX_CHAIN = 20
_MAX_PARENTS = 100
_MAX_VARIABLE = 2_000
_MAX_PATH = 2_000
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


@dataclass(frozen=True)
class _Reading:
    """One load under way: the mistakes, what its patterns cost, and the sources read, so that each is read once."""

    found: list[Problem]
    effort: Effort = field(default_factory=Effort)
    sources: dict[Path, Source | None] = field(default_factory=dict)


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
    loaded = _source(path, (), _Reading(found))
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
        # Resolved: what stands at `a/../a/../a` can be too far for the files in it to have a name.
        return (path if len(os.fspath(path)) < _MAX_PATH else path.resolve()) if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # a name that no file can have
        return None


def _source(path: Path, chain: tuple[Path, ...], reading: _Reading) -> Source | None:
    resolved = path.resolve()
    if resolved not in reading.sources:
        reading.sources[resolved] = None
        reading.sources[resolved] = _fresh(path, (*chain, resolved), reading)
    return reading.sources[resolved]


def _fresh(path: Path, chain: tuple[Path, ...], reading: _Reading) -> Source | None:
    try:
        main, files = _files(path, reading.found)
    except OSError as error:
        reading.found.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror}."))
        return None
    if main is None:
        return None
    document = _read(main, reading)
    listed = document.data.pop("principles", None) if isinstance(document.data, dict) else None
    file = _validated(ConstitutionFile, document, document.data, (), reading)
    if file is None:
        return None
    _check_variables(file, document, reading.found)
    read: list[Placed | str] = list(_listed(document, listed, reading))
    read.extend(_principle(principle_path, reading) for principle_path in files)
    principles = [placed for placed in read if isinstance(placed, Placed)]
    broken = frozenset(name for name in read if isinstance(name, str))
    _no_twins(principles, reading.found)
    parents = _parents(file, document, chain, reading)
    return Source(file, document, tuple(principles), tuple(parents), broken)


def _check_variables(file: ConstitutionFile, document: Document, found: list[Problem]) -> None:
    for name, value in file.variables.items():
        place = ("variables", name)
        if isinstance(value, str) and len(value) > _MAX_VARIABLE:
            message = f"the variable has {len(value):,} characters; {_MAX_VARIABLE:,} at most."
            found.append(document.problem(place, message, "Write the text where it belongs."))
        if isinstance(value, float) and not math.isfinite(value):
            found.append(document.problem(place, "the number is too large.", "Put it in quotes, if it is text."))


def _files(path: Path, found: list[Problem]) -> tuple[Path | None, list[Path]]:
    if not path.is_dir():
        return path, []
    main = path / _MAIN
    if not main.is_file():
        advice = f"A constitution is a folder with {_MAIN} and principles/*.yaml, or one YAML file with `principles:`."
        found.append(Problem(str(path), 0, 0, f"there is no {_MAIN} in this folder.", advice))
        return None, []
    folder = path / "principles"
    if folder.is_dir():
        list(folder.iterdir())  # `glob` passes over a folder that may not be read, and its principles would be missing
    strays = sorted(folder.glob("**/*.yml"))
    found.extend(Problem(str(stray), 0, 0, "this file would not be read.", "Name it .yaml.") for stray in strays)
    files = sorted(folder.glob("**/*.yaml"))
    if len(files) > _MAX_FILES:
        found.append(Problem(str(folder), 0, 0, f"{len(files):,} files; {_MAX_FILES:,} at most."))
        return None, []
    return main, files


def _read(path: Path, reading: _Reading) -> Document:
    try:
        raw = _bytes(path)
    except OSError as error:
        document = Document(str(path))
        document.problems.append(Problem(str(path), 0, 0, f"cannot be read: {error.strerror}."))
    else:
        reading.effort.read(len(raw))
        document = parse(raw, str(path))
        if document.data is None and not document.problems:
            document.problems.append(
                document.problem((), "the file is empty.", "See docs/constitutions.md for its form.")
            )
    reading.found.extend(document.problems)
    return document


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no file")  # a pipe would be waited for, and a device never ends
    with open(path, "rb", opener=_at_once) as stream:
        return stream.read(MAX_BYTES + 1) or b""  # no more: a file of gigabytes must not be read to be refused


def _at_once(path: str, flags: int) -> int:
    """Opens without waiting: of the files of a system that are no files, some have nothing to say yet."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _validated(
    model: type[_Loaded], document: Document, data: Any, base: tuple[str | int, ...], reading: _Reading
) -> _Loaded | None:
    """The data as a model; where unknown keys are all that is wrong, as if they were not there."""
    if data is None:
        return None
    try:
        return model.model_validate(data, context=reading.effort)
    except ValidationError as error:
        found = islice(problems(error, model, document, base), MAX_MISTAKES)
        reading.found.extend(sorted(found, key=lambda p: (p.line, p.column)))
        unknown = {one["loc"] for one in error.errors() if one["type"] == "extra_forbidden" and len(one["loc"]) == 1}
    if not unknown:
        return None
    known = {key: value for key, value in data.items() if (key,) not in unknown}
    try:
        return model.model_validate(known, context=reading.effort)
    except ValidationError:
        return None


def _listed(document: Document, listed: Any, reading: _Reading) -> Iterator[Placed | str]:
    """The principles that stand in the main file; of those with mistakes, the id."""
    if listed is not None and not isinstance(listed, list):
        advice = "Begin each principle with a hyphen."
        reading.found.append(document.problem(("principles",), "this must be a list.", advice))
        return
    for index, data in enumerate(listed or ()):
        base = ("principles", index)
        principle = _validated(Principle, document, data, base, reading)
        if data is None:
            reading.found.append(
                document.problem(base, "a principle is empty.", "Write its keys, or remove the hyphen.")
            )
        yield Placed(principle, document, base) if principle else _id_of(data)


def _principle(path: Path, reading: _Reading) -> Placed | str:
    document = _read(path, reading)
    principle = _validated(Principle, document, document.data, (), reading)
    if principle is None:
        return path.stem
    if principle.id != path.stem:
        message = f"the id {principle.id!r} is not the file's name."
        reading.found.append(document.problem(("id",), message, f"Write `id: {path.stem}`, or rename the file."))
    return Placed(principle, document)


def _id_of(data: Any) -> str:
    return str(data.get("id")) if isinstance(data, dict) else ""


def _parents(
    file: ConstitutionFile, document: Document, chain: tuple[Path, ...], reading: _Reading
) -> Iterator[Source]:
    base, found = Path(document.file).parent, reading.found
    if len(file.extends) > _MAX_PARENTS:
        message = f"extends {len(file.extends):,} constitutions; {_MAX_PARENTS} at most."
        found.append(document.problem(("extends",), message, "Name each of them once."))
    for index, name in enumerate(file.extends[:_MAX_PARENTS]):
        path = _find(name, base)
        place = ("extends", index)
        if path is None:
            found.append(document.problem(place, f"{name!r}: {_nowhere(name)[0]}", _nowhere(name)[1]))
        elif path.resolve() in chain:
            names = " -> ".join([*(p.name for p in chain), path.resolve().name])
            found.append(document.problem(place, f"extends itself: {names}.", "Remove one of the `extends`."))
        elif len(chain) > _MAX_CHAIN:
            found.append(document.problem(place, f"extends more than {_MAX_CHAIN} deep.", "Extend fewer at a time."))
        elif (parent := _source(path, chain, reading)) is not None:
            yield parent


def _no_twins(principles: list[Placed], found: list[Problem]) -> None:
    first: dict[str, Placed] = {}
    for placed in principles:
        twin = first.setdefault(placed.principle.id, placed)
        if twin is not placed:
            line = twin.document.values.get((*twin.base, "id"), (1, 1))[0]
            message = f"the id {placed.principle.id!r} already stands in {twin.document.file}:{line}."
            found.append(placed.document.problem((*placed.base, "id"), message, "Give one of them another id."))
