"""Many seeds, on all cores."""

import itertools
import logging
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

from oimon.bus import restore
from tests.simulation.removed import without
from tests.simulation.texts import ODDS_OF_TEXTS, Told
from tests.simulation.world import ODDS, Findings, World

ROUGH = {**ODDS, "pause": 0.04, "rollback": 0.04}
"""More of what the protections are for."""
ROUGH_TEXTS = {**ODDS_OF_TEXTS, "crash": 0.04, "lost reply": 0.04}
SNAPSHOT_BEATS = 4  # so that a run of seconds has some


def lived(
    seeds: Sequence[int], odds: Mapping[str, float], removed: Sequence[str], world: type[World]
) -> list[tuple[int, Findings | Told]]:
    """Live through seeds, one after the other; return what was left of each."""
    logging.disable(logging.CRITICAL)
    restore.SNAPSHOT_BEATS = SNAPSHOT_BEATS
    with without(removed):
        return [(seed, world(seed, odds).run()) for seed in seeds]


def all_lived(
    seeds: Sequence[int],
    odds: Mapping[str, float] = ODDS,
    removed: Sequence[str] = (),
    *,
    size: int = 10,
    world: type[World] = World,
) -> Iterator[tuple[int, Findings | Told]]:
    """Live through seeds in processes of their own; give what was left of each, as they come; stop when nobody asks on."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=context) as pool:
        parts = [seeds[start : start + size] for start in range(0, len(seeds), size)]
        running = [pool.submit(lived, part, dict(odds), list(removed), world) for part in parts]
        try:
            yield from itertools.chain.from_iterable(one.result() for one in running)
        finally:
            pool.shutdown(cancel_futures=True)
