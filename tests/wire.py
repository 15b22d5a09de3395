"""A loopback HTTP server that plays scripted answers and records requests, and the two wire formats."""

from __future__ import annotations

import json
import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from guardrails.models import AnthropicModel, OpenAIModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `body` is JSON unless it is bytes; `drop` hangs up, `hold` never finishes."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    hold: bool = False

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Seen:
    """One request as the server saw it."""

    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Wire:
    """The server's script and its record. The last answer of the script is given again and again."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.seen: list[Seen] = []
        self.over = threading.Event()
        self._script: list[Answer] = []

    def play(self, *answers: Answer) -> Wire:
        self._script = list(answers)
        return self

    def next(self) -> Answer:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        wire: Wire = self.server.wire
        raw = self.rfile.read(int(self.headers["content-length"]))
        wire.seen.append(Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, raw))
        answer = wire.next()
        if answer.drop:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in {"content-type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content[:1] if answer.hold else answer.content)
        if answer.hold:
            self.close_connection = True
            wire.over.wait()

    def log_message(self, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients that hang up are part of the play
            super().handle_error(request, client_address)


@contextmanager
def serve() -> Iterator[Wire]:
    """A server on a free port of 127.0.0.1, until the block ends."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.wire = Wire(server)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.001})
        thread.start()
        try:
            yield server.wire
        finally:
            server.wire.over.set()
            server.shutdown()
            thread.join()


class Anthropic:
    """The Messages API: its model class, and its answers."""

    name = "anthropic"
    path = "/v1/messages"

    @staticmethod
    def model(wire: Wire, **options: Any) -> AnthropicModel:
        return AnthropicModel("m-1", **{"api_key": "secret", "base_url": wire.url, **options})

    @staticmethod
    def says(text: str = "fine", **changes: Any) -> Answer:
        usage = {"input_tokens": 5, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 11, "output_tokens": 3}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m-1-0001",
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": usage,
        }
        return Answer({**message, **changes})

    @staticmethod
    def fails(status: int, **headers: str) -> Answer:
        error = {"type": "some_error", "message": "SECRET echoed by the server"}
        return Answer({"type": "error", "error": error}, status, {"request-id": "req_1", **_dashed(headers)})


class OpenAI:
    """Chat completions: its model class, and its answers."""

    name = "openai"
    path = "/chat/completions"

    @staticmethod
    def model(wire: Wire, **options: Any) -> OpenAIModel:
        return OpenAIModel("m-1", **{"api_key": "secret", "base_url": wire.url, **options})

    @staticmethod
    def says(text: str | None = "fine", finish_reason: str | None = "stop", **changes: Any) -> Answer:
        message = {"role": "assistant", "content": text, "refusal": changes.pop("refusal", None)}
        usage = {"prompt_tokens": 23, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 11}}
        completion = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "m-1-0001",
            "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
            "usage": usage,
        }
        return Answer({**completion, **changes})

    @staticmethod
    def fails(status: int, **headers: str) -> Answer:
        error = {"type": "some_error", "message": "SECRET echoed by the server"}
        return Answer({"error": error}, status, {"x-request-id": "req_1", **_dashed(headers)})


def _dashed(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
