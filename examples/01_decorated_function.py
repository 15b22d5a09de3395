"""One decorator: what the function returns is judged, mended and recorded before anybody sees it.

Runs as it stands, without a key: the rules of the finance constitution judge, and the principles that
only a model can judge are named as unjudged. With a key, give the guard a model instead:
`Guard("finance", model="anthropic:claude-haiku-4-5")`.
"""

from guardrails import Blocked, Guard

finance = Guard("finance", judge="rules", allow_unjudged=True)

DRAFTS = {
    "Which fund should I look at?": "This ETF is guaranteed to return 8% a year, so you can't lose. "
    "It charges 0.2% a year.",
    "What is an ETF?": "An ETF is a fund whose shares trade on an exchange.",
}


@finance
def answer(question: str) -> str:
    """Answer a customer. A call to your model stands here."""
    return DRAFTS[question]


if __name__ == "__main__":
    for question in DRAFTS:
        print(f"Q: {question}")
        try:
            print(f"A: {answer(question)}")
        except Blocked as blocked:  # it carries ids, never text, so it may be logged
            print(f"A: (not released: {blocked})")

    # The same call, with everything that led to its reply.
    outcome = answer.outcome("Which fund should I look at?")
    print(f"\n{outcome.status}")
    for verdict in outcome.attempts[0].verdicts:
        if verdict.violates:
            print(f"broke {verdict.principle} in sentence {verdict.sentences}: {verdict.critique}")
    print(f"written by the model: {outcome.original}")
    print(f"released:             {outcome.text}")
    print(f"not judged, for want of a model: {len(outcome.unjudged)} principles")
    print(f"recorded as run {outcome.run_id} in {finance.audit.url}")
    finance.close()
