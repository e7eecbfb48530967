"""A recording through the real handlers: how fast and in what portions it is played changes no byte."""

import weakref

from ingest.packets import book
from oimon import offline
from oimon.messages import ADVICE_MINIMAL, ANALYSIS
from oimon.process import calm_garbage
from tests.builders import make_frame, make_recording, make_row

START_US = 1_795_578_301_000_000  # 25 November 2026, 09:15:01 in India
STRIKES = (24_150, 24_200, 24_250)
SPOT = "99926000"


def frames():
    """Eight seconds of an index and six options, the index' frames between the others'."""
    for n in range(1, 33):
        at_us = START_US + 250_000 * n
        clock = {"sequence": n, "exchange_ms": at_us // 1000}
        yield at_us, make_frame(SPOT, exchange="NSE", mode=1, ltp=2_420_000 + 100 * n, **clock)
        for i in range(2 * len(STRIKES)):
            price = 10_000 + 500 * i + 5 * n
            levels = book([(130, price - 5, 2)], [(65, price + 5, 1)])
            told = {"ltp": price, "oi": 650_000 + 65 * n * i, "levels": levels}
            yield at_us + 10 * (i + 1), make_frame(str(40_000 + i), **told, **clock)


def played(recording, **how):
    said = []
    offline.run(
        offline.open_recording(recording),
        take=[lambda entry: said.append((entry.stream, entry.data))],
        **how,
    )
    return said


def test_speed_and_portions_change_no_byte(tmp_path):
    rows = [make_row(SPOT, kind="INDEX")]
    for i in range(2 * len(STRIKES)):
        rows += [make_row(str(40_000 + i), kind=("CE", "PE")[i % 2], strike=STRIKES[i // 2])]
    path = tmp_path / "day.oirec"
    make_recording(path, list(frames()), master=rows, cadence_s=0.0)

    whole = played(path, speed=None)

    assert played(path, speed=None, frames_at_a_time=1) == whole
    assert played(path, speed=40.0, frames_at_a_time=5) == whole
    analyses = [data for stream, data in whole if stream == ANALYSIS]
    assert len(analyses) == len(set(analyses)) == 10
    assert sum(stream == ADVICE_MINIMAL for stream, _ in whole) == 10


class Leftover:
    """Holds itself, as a bus and its tasks hold each other."""

    def __init__(self):
        self.itself = self


def test_what_one_day_has_left_behind_is_not_kept_by_the_next():
    left = weakref.ref(Leftover())

    calm_garbage()

    assert left() is None
