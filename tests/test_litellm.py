"""Guarded LiteLLM functions: the checks of litellm_checks.py, run by a Python that has LiteLLM."""

import json
import os
import subprocess
from pathlib import Path

import litellm_checks
import pytest


@pytest.fixture(scope="module")
def failed():
    """What failed in each check, run once: LiteLLM takes seconds to import."""
    python = os.environ.get("GUARDRAILS_LITELLM_PYTHON")
    if not python:
        pytest.skip("needs GUARDRAILS_LITELLM_PYTHON, a Python with litellm: it cannot live beside this openai")
    script = Path(litellm_checks.__file__)
    ran = subprocess.run([python, script], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", litellm_checks.checks())
def test_a_guarded_litellm_function(failed, name):
    """Each check states its property; real LiteLLM, against a loopback server and its own mock responses."""
    assert name in failed
    if failed[name]:
        pytest.fail(failed[name], pytrace=False)
