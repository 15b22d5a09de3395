"""Responses of `httpx2`, and of `httpx`, which some SDKs take clients of as well: with another body."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

# They tell how the bytes were sent, and the guarded ones are other bytes.
_OF_THE_BYTES = ("content-encoding", "content-length", "transfer-encoding")


def like(response: Any, **body: Any) -> Any:
    """A response with another body, which says the same of itself and belongs to the same request."""
    headers = response.headers.copy()
    for name in _OF_THE_BYTES:
        headers.pop(name, None)
    return library_of(response).Response(
        response.status_code,
        headers=headers,
        request=response.request,
        extensions=response.extensions,
        history=response.history,
        default_encoding=response.default_encoding,
        **body,
    )


def library_of(response: Any) -> Any:
    """The library that a response comes from."""
    base = type(response).__mro__[-2]
    return sys.modules[base.__module__.partition(".")[0]]


@cache
def stream_class(kind: Any, base: Any) -> Any:
    """A class of streams of bytes that the library takes for its own."""
    return type(kind.__name__, (kind, base), {})
