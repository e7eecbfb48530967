import numpy as np

from analytics.history import KEEP_S, MAX_POINTS, RollingTicks, Sample
from tests.unit.core.chains import column


def sample(at_s, oi=65.0, mark=100.0, level=24_500.0):
    return Sample(
        at_s=at_s,
        oi=column(oi, None),
        mark=column(mark, None),
        ltp=column(mark, None),
        level=level,
    )


def test_a_sample_is_due_on_a_change_or_after_fifteen_seconds():
    rolling = RollingTicks(["A"])
    assert rolling.is_due(0.0, column(65, None))
    rolling.append(sample(100.0))

    assert not rolling.is_due(114.9, column(65, None))
    assert rolling.is_due(115.0, column(65, None))
    assert rolling.is_due(101.0, column(130, None))
    assert not rolling.is_due(100.5, column(130, None))


def test_memory_is_bounded_and_keeps_one_older_anchor():
    rolling = RollingTicks(["A"])
    for second in range(4_000):
        rolling.append(sample(float(second), oi=float(second)))

    assert len(rolling["A"]) <= MAX_POINTS
    assert KEEP_S <= rolling.span_s(3_999.0) <= KEEP_S + 1
    assert rolling.at_window(3_999.0, 1_800.0).oi[0] == 2_199.0


def test_an_instrument_s_points_are_plain_values():
    rolling = RollingTicks(["A"])
    rolling.append(sample(1.0, oi=None, mark=12.5))
    rolling.append(sample(16.0))

    assert list(rolling) == ["A"]
    assert len(rolling) == 1
    assert "B" not in rolling
    assert list(rolling["A"]) == [
        {"ts": 1.0, "ltp": 12.5, "oi": None},
        {"ts": 16.0, "ltp": 100.0, "oi": 65},
    ]


def test_a_level_that_is_known_later_than_the_first_sample_counts_from_when_it_is_known():
    rolling = RollingTicks(["A"])
    for at_s, level in ((0.0, None), (15.0, 100.0), (30.0, 101.0), (45.0, None), (60.0, 102.0)):
        rolling.append(sample(at_s, level=level))

    assert rolling.level_at(314.0, 900.0) is None  # 299 s of it
    assert rolling.level_at(315.0, 900.0) == 100.0
    assert rolling.level_at(905.0, 900.0) == 100.0  # at the window's start there was none
    assert rolling.level_at(930.0, 900.0) == 101.0
    assert rolling.level_at(950.0, 900.0) == 101.0  # the last one known by then
    assert rolling.level_at(960.0, 900.0) == 102.0


def test_a_window_before_the_first_sample_has_only_the_oldest():
    rolling = RollingTicks(["A"])
    rolling.append(sample(100.0, oi=65.0))
    rolling.append(sample(200.0, oi=130.0))

    young, older = rolling.at_window(300.0, 900.0), rolling.at_window(400.0, 900.0)

    assert np.isnan(older.oi[0])
    assert (older.first_oi[0], older.first_age_s[0]) == (65.0, 300.0)
    assert (young.level, older.level) == (None, 24_500.0)


def test_an_added_instrument_has_no_past():
    rolling = RollingTicks(["A"])
    rolling.append(sample(0.0))

    rolling.widen(["A", "B"])

    then = rolling.at_window(900.0, 900.0)
    assert then.oi.tolist()[:1] == [65.0]
    assert np.isnan(then.oi[1:]).all()
    assert list(rolling["B"]) == [{"ts": 0.0, "ltp": None, "oi": None}]


def test_a_gap_is_filled_where_nothing_newer_was_known():
    rolling = RollingTicks(["A"])
    for at_s, oi in ((0, 65), (15, 65), (30, 130), (45, 65), (60, 195), (75, 65)):
        rolling.append(sample(float(at_s), oi=float(oi)))
    asked = rolling.anchors(915.0, [900.0])

    rolling.fill({0: [(10.0, 260.0), (40.0, 325.0)]}, from_s=5.0, to_s=60.0)

    # At 30 and at 60 a quote had told something else than before the gap; 75 is after it.
    assert [point["oi"] for point in rolling["A"]] == [65, 260, 130, 325, 195, 65]
    assert rolling.at_window(915.0, 900.0).oi[0] == 260
    assert rolling.anchors(915.0, [900.0]) != asked, (
        "what was worked out from the past holds no more"
    )


def test_what_a_quote_told_in_a_gap_stays_and_what_nobody_knew_is_filled():
    rolling = RollingTicks(["A"])
    for at_s, oi in ((0, 65), (15, 130), (30, None), (45, 65), (60, 65)):
        rolling.append(sample(float(at_s), oi=oi))

    rolling.fill({0: [(20.0, 260.0)]}, from_s=0.0, to_s=45.0)

    assert [point["oi"] for point in rolling["A"]] == [65, 130, 260, 260, 65]


def test_what_was_known_before_a_gap_is_what_the_newest_sample_before_it_held():
    rolling = RollingTicks(["A"])
    for at_s, oi in ((0, 65), (15, 130), (30, 130), (45, 130)):
        rolling.append(sample(float(at_s), oi=oi))

    rolling.fill({0: [(25.0, 260.0)]}, from_s=20.0, to_s=30.0)

    assert [point["oi"] for point in rolling["A"]] == [65, 130, 260, 130]


def test_a_window_starts_at_the_marks_and_the_level_of_its_last_sample_before():
    rolling = RollingTicks(["A"])
    assert rolling.span_s(5.0) == 0
    for at_s in (0.0, 15.0, 30.0):
        rolling.append(sample(at_s, mark=100.0 + at_s, level=24_500.0 + at_s))

    for now_s, start in ((914.0, 0.0), (915.0, 15.0), (930.0, 30.0)):
        then = rolling.at_window(now_s, 900.0)
        assert (then.mark[0], then.level) == (100.0 + start, 24_500.0 + start)
    assert rolling.span_s(930.0) == 930.0


def test_before_the_first_that_is_told_of_a_gap_it_stays_as_it_was():
    rolling = RollingTicks(["A"])
    for at_s in (0.0, 15.0, 30.0):
        rolling.append(sample(at_s))

    rolling.fill({0: [(20.0, 260.0)]}, from_s=5.0, to_s=30.0)

    assert [point["oi"] for point in rolling["A"]] == [65, 65, 260]


def test_changes_count_from_something_else_once_the_oldest_is_old_enough():
    rolling = RollingTicks(["A"])
    rolling.append(sample(100.0))

    young, no_older, old = (rolling.anchors(now_s, [900.0]) for now_s in (200.0, 399.0, 400.0))

    assert young == no_older != old


def test_a_gap_longer_than_the_history_is_filled_too():
    rolling = RollingTicks(["A"])
    for at_s in range(0, 2_415, 15):  # the gap began before the oldest sample that is left
        rolling.append(sample(float(at_s), oi=65.0 if at_s < 2_400 else 195.0))

    rolling.fill({0: [(10.0, 260.0), (1_400.0, 325.0)]}, from_s=5.0, to_s=2_390.0)

    assert rolling.at_window(2_400.0, 1_800.0).oi[0] == 260
    assert rolling.at_window(2_400.0, 900.0).oi[0] == 325
    assert rolling["A"][-1]["oi"] == 195, "2400 is after it"


def test_what_was_first_seen_in_a_gap_stays():
    rolling = RollingTicks(["A"])
    rolling.append(sample(0.0))
    rolling.append(sample(15.0))

    rolling.fill({0: [(-5.0, 260.0)]}, from_s=-10.0, to_s=15.0)

    assert [point["oi"] for point in rolling["A"]] == [65, 65]
