"""What every test may ask for."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("suite", max_examples=40, deadline=None, derandomize=True)
settings.register_profile("long", max_examples=2000, deadline=None)
settings.load_profile("suite")  # pytest --hypothesis-profile=long looks harder

os.environ["FAST"] = (
    "0"  # the suite is about numpy; tests/unit/core/test_fast.py holds the compiled loops against it
)

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items):
    if SHARED.is_dir():
        return
    for item in items:
        if item.get_closest_marker("needs_shared"):
            item.add_marker(pytest.mark.skip(reason="reads ../shared, which is not here"))


@pytest.fixture
def shared_dir() -> Path:
    """Folder of papers and market data beside the checkout; use with ``@pytest.mark.needs_shared``."""
    return SHARED
