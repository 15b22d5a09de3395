"""OpenAI's models, and any server that speaks its chat completions, through the `openai` SDK."""

from __future__ import annotations

import os
from typing import Any

from guardrails.errors import ConfigurationError
from guardrails.models._client import HostedModel, tokens, turns
from guardrails.models._interface import ModelReply, ModelRequest, Stop

try:
    from openai import AsyncOpenAI
except ImportError as error:
    raise ConfigurationError(
        "OpenAI models need the openai package: pip install 'constitutional-guardrails[openai]'"
    ) from error

_STOPS: dict[Any, Stop] = {"stop": "end", "content_filter": "refusal"}
_CUT_OFF: Stop = "length"
_CREDENTIALS = {"api_key", "admin_api_key", "workload_identity", "provider"}


class OpenAIModel(HostedModel[AsyncOpenAI]):
    """A model behind OpenAI's chat completions API, or a server that speaks it.

    `options` are those of `AsyncOpenAI` (`api_key`, `base_url`, `organization`…), by default what
    the SDK finds in the environment; with a `base_url` no key is needed. `client` is an
    `AsyncOpenAI` of your own instead; it stays yours to close, and an HTTP client serves one event
    loop, so give options where synchronous calls or several loops share the model.

    Raises:
        ConfigurationError: the `openai` package is missing, or options that the client does not take.

    >>> OpenAIModel("llama-4", base_url="http://localhost:8080/v1").name
    'openai:llama-4'
    """

    provider = "openai"
    key = "OPENAI_API_KEY"
    sdk = AsyncOpenAI

    def _settings(self) -> dict[str, Any]:
        elsewhere = self._options.get("base_url") or os.environ.get("OPENAI_BASE_URL")
        keyless = not _CREDENTIALS & self._options.keys() and not os.environ.get(self.key)
        # The SDK insists on a key, local servers have none.
        return {**self._options, "api_key": "none"} if elsewhere and keyless else self._options

    async def _send(self, client: AsyncOpenAI, request: ModelRequest, **options: Any) -> Any:
        system = [{"role": "system", "content": request.system}] if request.system else []
        body: dict[str, Any] = {
            "model": self.model,
            "max_completion_tokens": request.max_tokens,
            "messages": [*system, *turns(request)],
        }
        if request.schema is not None:
            form = {"name": request.purpose, "strict": True, "schema": dict(request.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return await client.chat.completions.create(**body, **options)

    def _read(self, answer: Any) -> ModelReply:
        # No choice at all is an answer cut off before its first token.
        text, refusal, stop = "", None, _CUT_OFF
        for choice in answer.choices[:1]:
            text, refusal = choice.message.content or "", getattr(choice.message, "refusal", None)
            stop = _STOPS.get(choice.finish_reason, _CUT_OFF)
        usage = answer.usage
        return ModelReply(
            text=text or refusal or "",
            model=answer.model or self.model,
            stop="refusal" if refusal else stop,
            input_tokens=tokens(usage, "prompt_tokens"),
            output_tokens=tokens(usage, "completion_tokens"),
            cache_read_tokens=tokens(getattr(usage, "prompt_tokens_details", None), "cached_tokens"),
        )
