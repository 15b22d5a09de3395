"""Values as SDKs give them, objects and dictionaries alike: read by path, and copied with a change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def get(value: Any, *path: str | int) -> Any:
    """What stands under a path; None where there is nothing, and in anything but SDK objects, dicts and lists.

    >>> get({"choices": [{"index": 0}]}, "choices", 0, "index"), get({}, "choices", 0)
    (0, None)
    """
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list | tuple) and -len(value) <= step < len(value) else None
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            value = getattr(value, step, None) if hasattr(type(value), "model_copy") else None
    return value


def put(value: Any, path: tuple[str | int, ...], new: Any) -> Any:
    """A copy with something else under a path; nothing but what stands on the path is copied.

    >>> put({"a": [{"b": 1}, 2]}, ("a", 0, "b"), 3)
    {'a': [{'b': 3}, 2]}
    """
    if not path:
        return new
    step, *rest = path
    if isinstance(step, int):
        return [*value[:step], put(value[step], tuple(rest), new), *value[step + 1 :]]
    return with_fields(value, {step: put(get(value, step), tuple(rest), new)})


def with_fields(value: Any, changes: Mapping[str, Any]) -> Any:
    """A copy with some fields changed."""
    return {**value, **changes} if isinstance(value, Mapping) else value.model_copy(update=dict(changes))


def bare(value: Any, kept: Collection[str], changes: Mapping[str, Any]) -> Any:
    """A copy with some fields changed, and None in every other one that is not kept, the unknown ones included.

    >>> bare({"index": 0, "logprobs": [1]}, {"index"}, {"text": "No."})
    {'index': 0, 'logprobs': None, 'text': 'No.'}
    """
    gone = {name: None for name, held in dict(value).items() if held is not None and name not in kept}
    return with_fields(value, {**gone, **changes})
