"""Anthropic's models, through the `anthropic` SDK."""

from __future__ import annotations

from typing import Any

from anthropic import AsyncAnthropic

from guardrails.models._client import HostedModel, tokens, turns
from guardrails.models._interface import ModelReply, ModelRequest, Stop

_STOPS: dict[Any, Stop] = {"end_turn": "end", "stop_sequence": "end", "refusal": "refusal"}


class AnthropicModel(HostedModel[AsyncAnthropic]):
    """A model behind Anthropic's Messages API.

    `options` are those of `AsyncAnthropic` (`api_key`, `base_url`, `default_headers`…), by default
    what the SDK finds in the environment. `client` is an `AsyncAnthropic` of your own instead; it
    stays yours to close, and an HTTP client serves one event loop, so give options where synchronous
    calls or several loops share the model. `system` is marked for the provider's cache.

    Raises:
        ConfigurationError: options that the client does not take.

    >>> AnthropicModel("claude-haiku-4-5", api_key="…").name
    'anthropic:claude-haiku-4-5'
    """

    provider = "anthropic"
    key = "ANTHROPIC_API_KEY"
    sdk = AsyncAnthropic

    async def _send(self, client: AsyncAnthropic, request: ModelRequest, **options: Any) -> Any:
        # Newer models answer 400 to any sampling setting, so there is none, temperature included.
        body: dict[str, Any] = {"model": self.model, "max_tokens": request.max_tokens, "messages": turns(request)}
        if request.system:
            body["system"] = [{"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}]
        if request.schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": dict(request.schema)}}
        return await client.messages.create(**body, **options)

    def _read(self, answer: Any) -> ModelReply:
        usage = answer.usage
        read = tokens(usage, "cache_read_input_tokens")
        return ModelReply(
            # By `type`: the SDK parses blocks that it does not know into the class of another.
            text="".join(block.text for block in answer.content if block.type == "text"),
            model=answer.model or self.model,
            # What is neither an end nor a refusal cut the answer off, None (a broken connection) included.
            stop=_STOPS.get(answer.stop_reason, "length"),
            input_tokens=tokens(usage, "input_tokens") + tokens(usage, "cache_creation_input_tokens") + read,
            output_tokens=tokens(usage, "output_tokens"),
            cache_read_tokens=read,
        )
