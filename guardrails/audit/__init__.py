"""The audit trail: what was said, what was changed, why, under which wording, and that nobody altered it.

A record is written before a reply is released. Each is chained to the one before it, and free texts
stand beside the chain, behind salted commitments.
"""

from __future__ import annotations

from guardrails.audit._chain import Verification
from guardrails.audit._ids import uuid7
from guardrails.audit._record import Run, Worker
from guardrails.audit._store import Entry, Record, Store, Text
from guardrails.audit._trail import AuditTrail, RunSummary, StoredRun
from guardrails.audit._window import StreamWindow

__all__ = [
    "AuditTrail",
    "Entry",
    "Record",
    "Run",
    "RunSummary",
    "Store",
    "StoredRun",
    "StreamWindow",
    "Text",
    "Verification",
    "Worker",
    "uuid7",
]
