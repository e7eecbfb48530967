"""What every test may ask for."""

from pathlib import Path

import pytest

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
