"""A stream in monitor mode: nobody holds it back, and it is reviewed when it has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from guardrails.dialects import APART, TEXT, Choice, Events, Reply

_log = logging.getLogger("guardrails")


class Overheard:
    """What was said in a stream; whatever is wrong is the log's, not the caller's."""

    def __init__(self, events: Events, watch: Callable[[Reply], None]) -> None:
        self._events = events
        self._watch = watch
        self._texts: dict[int, list[str]] = {0: []}
        self._is_readable = True

    def hear(self, events: Callable[[], Iterable[Any]]) -> None:
        """Read what came, if it can be read."""
        if not self._is_readable:
            return
        try:
            for said in map(self._events.read, events()):
                apart = [APART] if said.apart and said.text else []
                self._texts.setdefault(said.choice, []).extend([*apart, said.text])
        except Exception as error:  # noqa: BLE001 - a stream may hold anything
            self._is_readable = False
            _log.error("monitor mode cannot read a stream: %s", type(error).__name__, exc_info=error)

    def end(self) -> None:
        """Have it reviewed, as far as it was heard."""
        try:
            for choice, texts in self._texts.items() if self._is_readable else ():
                text, calls = "".join(texts), self._events.calls(choice)
                self._watch(Reply(text, TEXT, (Choice((text,), calls, holds_other=bool(calls)),)))
        except Exception as error:  # noqa: BLE001 - too many reviews may wait
            _log.error("monitor mode cannot review a stream: %s", type(error).__name__, exc_info=error)
