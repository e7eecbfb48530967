from oimon.core.level_break import (
    BreakRun,
    LevelKind,
    LevelReference,
    break_buffer,
    confirmed_by_oi,
    watch_break,
    watch_shift,
)


def watch(samples, kind=LevelKind.SUPPORT, level=26_000.0):
    run, seen = BreakRun(), []
    for at_s, price in samples:
        run = watch_break(run, at_s, price, kind=kind, level=level, tick=0.05)
        seen.append(run.broken_s)
    return seen


def test_a_level_breaks_after_a_minute_beyond_its_buffer():
    prices = [26_004, 25_986, 25_984, 25_985, 25_983, 25_981]

    assert watch(zip(range(0, 90, 15), prices, strict=True)) == [None] * 5 + [75]


def test_one_sample_back_inside_restarts_the_run():
    assert watch([(0, 25_986), (30, 25_990), (60, 25_985), (100, 25_984)]) == [None] * 4


def test_one_sample_is_no_break_however_far():
    assert watch([(0, 20_000)]) == [None]


def test_a_price_on_the_edge_of_the_buffer_is_not_beyond_it():
    on_the_edge = [(0, 24_887.55), (60, 24_887.55)]  # 12.45 below, a float's last bit more

    assert watch(on_the_edge, level=24_900.0) == [None, None]
    assert watch([(0, 24_887.5), (60, 24_887.5)], level=24_900.0) == [None, 60]


def test_a_break_ends_after_its_time_or_beyond_the_level():
    broken = [(0, 25_980), (60, 25_980)]

    assert watch([*broken, (70, 26_000), (80, 26_000.05)]) == [None, 60, 60, None]
    assert watch([*broken, (959, 25_980), (960, 25_980)]) == [None, 60, 60, None]


def test_a_resistance_breaks_upwards():
    samples = [(0, 84_943), (90, 84_990)]

    assert watch(samples, LevelKind.RESISTANCE, 84_900.0) == [None, 90]


def test_the_buffer_is_at_least_two_ticks():
    assert break_buffer(26_000, 0.05) == 13.0
    assert break_buffer(100, 0.05) == 0.1


def test_falling_interest_of_the_defenders_confirms():
    assert confirmed_by_oi(-65) is True
    assert confirmed_by_oi(0) is False
    assert confirmed_by_oi(None) is None


def test_a_new_primary_must_last_three_minutes():
    reference = watch_shift(LevelReference(), 0, 26_000)
    reference = watch_shift(reference, 10, 26_100)
    assert watch_shift(reference, 189, 26_100).strike == 26_000
    assert watch_shift(reference, 190, 26_100).strike == 26_100


def test_a_primary_that_flickers_starts_again():
    reference = watch_shift(LevelReference(), 0, 26_000)
    for at_s, primary in ((10, 26_100), (100, 26_000), (110, 26_100), (200, None)):
        reference = watch_shift(reference, at_s, primary)

    assert watch_shift(reference, 289, 26_100).strike == 26_000
