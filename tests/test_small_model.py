"""Both model classes against a real language model: that it is reached, never what it says."""

import pytest

from guardrails.exchange import Message
from guardrails.models import AnthropicModel, ModelRequest, OpenAIModel

pytestmark = pytest.mark.model

REQUEST = ModelRequest("judge", "You are brief.", (Message("user", "Is water wet?"),), max_tokens=8, timeout=60)


@pytest.fixture(params=["anthropic", "openai"])
def model(request, small_model):
    address = small_model.listening_address
    if request.param == "anthropic":
        return AnthropicModel("smollm2", base_url=address, api_key="none")
    return OpenAIModel("smollm2", base_url=f"{address}/v1")


async def test_it_answers_and_is_cut_off_at_max_tokens(model):
    reply = await model.acomplete(REQUEST)
    assert isinstance(reply.text, str)
    assert reply.stop in {"end", "length"}
    assert 0 < reply.output_tokens <= REQUEST.max_tokens
    assert reply.input_tokens > 0


async def test_a_schema_is_taken(model):
    schema = {
        "type": "object",
        "properties": {"wet": {"type": "boolean"}},
        "required": ["wet"],
        "additionalProperties": False,
    }
    request = ModelRequest("judge", REQUEST.system, REQUEST.messages, schema=schema, max_tokens=24, timeout=60)
    assert (await model.acomplete(request)).output_tokens > 0
