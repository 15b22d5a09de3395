"""How many there are of something, in words."""

from __future__ import annotations


def counted(count: int, noun: str, several: str = "") -> str:
    """A number with its noun, which is `several` of other numbers than one; by default with an s.

    >>> counted(1, "check"), counted(1200, "reply", "replies")
    ('1 check', '1,200 replies')
    """
    return f"{count:,} {noun if count == 1 else several or f'{noun}s'}"
