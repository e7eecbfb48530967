import re
from pathlib import Path

from ingest.fakebroker.faults import Fault

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "fake-broker.md"


def test_the_document_lists_every_fault_in_its_order():
    listed = re.findall(
        r"^\| `([a-z0-9-]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert listed == [fault.value for fault in Fault]
