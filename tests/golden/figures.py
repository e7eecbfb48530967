"""The bundled day through a desk, a beat a minute, and what its analyses say each half hour."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from analytics.desk import Desk
from ingest.recording import open_recording
from ingest.replay import Replay
from oimon import calendar, codec
from oimon.messages import Beat
from tests.unit.analytics.days import Tape

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"
FILE = ROOT / "tests/data/golden/NIFTY-2026-08-18.json"
EVERY_US, BEAT_US = 30 * 60_000_000, 60_000_000
FIELDS = (
    "expiry", "spot", "x", "forward", "forward_source", "atm", "pcr", "pcr_window", "pcr_vol", "pcr_slope_per_hour", "coi",
    "max_pain", "max_pain_zone", "support", "resistance", "support_wall", "resistance_wall", "atm_iv", "rr25", "straddle",
    "em_window", "em_expiry", "gex", "direction", "score", "agreement", "coverage", "confidence_factor", "components",
    "quality", "quality_why",
)  # fmt: skip


def figures() -> dict[str, Mapping[str, Any]]:
    """Return the figures of each half hour, by its time in India."""
    found: dict[str, Mapping[str, Any]] = {}
    happened: list[str] = []
    for answer in _answers():
        happened += [event["kind"] for event in answer["events"]]
        if answer["ts_us"] % EVERY_US == 0:
            at = datetime.fromtimestamp(answer["ts_us"] / 1e6, calendar.IST)
            found[f"{at:%H:%M}"] = {name: answer[name] for name in FIELDS} | {"events": happened}
            happened = []
    return found


def text() -> str:
    """Return the file's text."""
    return json.dumps(figures(), indent=1, sort_keys=True) + "\n"


def _answers() -> Iterator[dict[str, Any]]:
    tape, last_us = Tape(desk=Desk(partition="NIFTY")), 0
    for step in Replay(open_recording(DAY), "golden", beat_us=BEAT_US).steps():
        for message in step.messages:
            tape.put(message)
        pulse = step.pulse
        if pulse.event_us is None or pulse.event_us <= last_us:
            continue
        last_us = pulse.event_us
        beat = Beat(ts_us=last_us, market=pulse.market, feed=pulse.feed, age_ms=pulse.age_ms)
        for answer in tape.put(beat):
            yield json.loads(codec.encode(answer))
