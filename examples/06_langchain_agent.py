"""A LangChain agent with a guard as its middleware: tools, streams and state hold only what was released.

Runs as it stands, without a key: a scripted model drafts, and the rules of the finance constitution judge. In your
agent, give `create_agent` the model's name and the guard a model of its own: `Guard("finance", model=…)`.
"""

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.graph.state import CompiledStateGraph

from guardrails import Guard, outcome_of
from guardrails.integrations.langchain import GuardMiddleware

finance = Guard("finance", judge="rules", allow_unjudged=True, audit=None, on_blocked="fallback")

CALL = {"name": "fact_sheet", "args": {"fund": "Everest"}, "id": "call-1"}
SCRIPT = [
    AIMessage("", tool_calls=[CALL]),
    AIMessage("This ETF is guaranteed to return 8% a year, so you can't lose. It charges 0.2% a year."),
]


class ScriptedModel(GenericFakeChatModel):
    """Stands for a provider's chat model, which `create_agent("anthropic:claude-haiku-4-5", …)` would give."""

    def bind_tools(self, tools: object, **_: object) -> "ScriptedModel":  # noqa: ARG002 - the script knows them
        """Take the agent's tools."""
        return self


def fact_sheet(fund: str) -> str:
    """What a fund aims at, and what it charges a year."""
    return f"The {fund} fund aims to return 8% a year, and charges 0.2%."


def agent() -> CompiledStateGraph:
    """Make a guarded agent."""
    return create_agent(ScriptedModel(messages=iter(SCRIPT)), [fact_sheet], middleware=[GuardMiddleware(finance)])


if __name__ == "__main__":
    question = {"messages": [{"role": "user", "content": "Is the Everest fund any good?"}]}
    answer = agent().invoke(question)["messages"][-1]
    print(f"answer:  {answer.text}")
    outcome = outcome_of(answer)
    broken = [verdict.principle for verdict in outcome.attempts[0].verdicts if verdict.violates]
    print(f"outcome: {outcome.status}, for {', '.join(broken)}")

    print("streamed:")
    for message, _ in agent().stream(question, stream_mode="messages"):
        print(f"  {message.type}: {message.text or message.tool_calls}")
