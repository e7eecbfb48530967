from analytics.levels import LevelWatch, events, newest_break, watch
from oimon.core.level_break import BreakRun, LevelKind

SUPPORT = {"kind": LevelKind.SUPPORT, "tick": 0.05}


def walk(samples):
    """Watch (second, price, primary); return the last watch and what happened."""
    now, happened = LevelWatch(), []
    for at_s, price, primary in samples:
        before, now = now, watch(now, at_s, price, primary, **SUPPORT)
        happened += events(before, now, at_s, kind=LevelKind.SUPPORT, oi_change=-65.0)
    return now, happened


def test_a_broken_level_is_watched_until_its_break_is_over():
    beyond = [(s, 25_980.0, 25_900.0) for s in range(1, 400, 10)]

    now, happened = walk([(0, 26_010.0, 26_000.0), *beyond])

    assert (now.watched, now.reference.strike) == (26_000.0, 25_900.0)
    assert [(e.kind, e.strike, e.ts_us) for e in happened] == [
        ("SUPPORT_BREAK", 26_000.0, 61),
        ("SUPPORT_SHIFT_DOWN", 25_900.0, 181),
    ]
    assert happened[0].text == "support 26000 broken, writers cover"


def test_after_a_break_the_level_in_force_is_watched():
    beyond = [(s, 25_980.0, 25_900.0) for s in range(1, 1000, 10)]

    now, _ = walk([(0, 26_010.0, 26_000.0), *beyond])

    assert (now.watched, now.broken_s) == (25_900.0, None)


def test_a_side_without_levels_is_quiet():
    now, happened = walk([(s, 26_000.0, None) for s in range(300)])

    assert (now.watched, happened) == (None, [])


def test_of_two_broken_levels_the_newest_counts():
    whole, earlier, later = (
        LevelWatch(run=BreakRun(broken_s=at_s), watched=26_000.0) for at_s in (None, 60.0, 90.0)
    )

    assert newest_break(whole, whole) is None
    assert newest_break(earlier, whole) is newest_break(later, earlier) is LevelKind.SUPPORT
    assert newest_break(whole, earlier) is newest_break(earlier, later) is LevelKind.RESISTANCE
