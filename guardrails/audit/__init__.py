"""The audit trail: what was said, what was changed, why, under which wording, and that nobody altered it.

A record is written before a reply is released. Each is chained to the one before it, and free texts
stand beside the chain, behind salted commitments.
"""

from __future__ import annotations

from guardrails.audit._acts import Act
from guardrails.audit._chain import Verification
from guardrails.audit._checkpoint import Checkpoint, make_key, public_key_file
from guardrails.audit._erasing import LEGAL_HOLD, Pruned
from guardrails.audit._export import export
from guardrails.audit._ids import uuid7
from guardrails.audit._preference import Preferences
from guardrails.audit._record import Run, Worker
from guardrails.audit._redact import REDACTIONS, Redaction, stored
from guardrails.audit._runs import RunSummary, Where
from guardrails.audit._store import Entry, Record, Store, Text
from guardrails.audit._stored import StoredRun
from guardrails.audit._trail import AuditTrail
from guardrails.audit._window import StreamWindow
from guardrails.audit._wording import Wording

__all__ = [
    "LEGAL_HOLD",
    "REDACTIONS",
    "Act",
    "AuditTrail",
    "Checkpoint",
    "Entry",
    "Preferences",
    "Pruned",
    "Record",
    "Redaction",
    "Run",
    "RunSummary",
    "Store",
    "StoredRun",
    "StreamWindow",
    "Text",
    "Verification",
    "Where",
    "Wording",
    "Worker",
    "export",
    "make_key",
    "public_key_file",
    "stored",
    "uuid7",
]
