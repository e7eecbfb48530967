"""What a feed shows of prices and trades: volume, last trade, the day's range."""

import numpy as np

from ingest.simulator.ticker import DayRange, Part, Ticker


def rows(*values):
    return np.array(values, np.int64)


def part(price, trades, true, shown=None):
    return Part(
        price=np.array(price, np.float64),
        half=np.full(np.shape(price), 5.0),
        trades=rows(*trades),
        true=rows(*true),
        shown=rows(*(true if shown is None else shown)),
    )


def test_volume_is_what_was_traded_and_never_less_than_open_interest_has_moved():
    ticker = Ticker(np.full(2, 5.0), rows(65, 65), rows(900, 900), traded_s=7)

    first = ticker.quotes(
        rows(100, 101), [part([[1_000, 1_000]] * 2, [[3, 0], [0, 0]], [[10, 10], [10, 6]])]
    )
    then = ticker.quotes(rows(102), [part([[1_100, 1_200]], [[0, 1]], [[15, 3]], [[10, 10]])])

    assert first.volume.tolist() == [[195, 0], [195, 260]]
    assert then.volume.tolist() == [[195 + 5 * 65, 260 + 3 * 65]]
    assert then.oi.tolist() == [[650, 650]], "what was published"


def test_the_last_trade_stays_where_none_followed_and_an_index_is_always_new():
    ticker = Ticker(np.full(3, 5.0), rows(65, 65, 0), rows(900, 905, 910), traded_s=7)

    first = ticker.quotes(
        rows(100, 101), [part([[1_000, 1_001, 1_004]] * 2, [[1, 0, 0], [0, 0, 0]], [[0, 0, 0]] * 2)]
    )
    then = ticker.quotes(rows(102), [part([[1_100, 1_200, 1_300]], [[0, 1, 0]], [[0, 0, 0]])])

    assert first.ltp.tolist() == [[1_000, 905, 1_005]] * 2
    assert first.traded_s.tolist() == [[100, 7, 100], [100, 7, 101]]
    assert then.ltp.tolist() == [[1_000, 1_200, 1_300]]
    assert then.traded_s.tolist() == [[100, 102, 102]]


def test_the_day_s_range_is_of_trades_and_0_before_the_first():
    day = DayRange(2)

    first = day.after(rows([100, 500], [90, 500], [110, 500]), rows([0, 0], [2, 0], [1, 0]))
    then = day.after(rows([95, 400], [80, 600]), rows([0, 1], [3, 3]))

    assert first["open"].tolist() == [[0, 0], [90, 0], [90, 0]]
    assert first["high"].tolist() == [[0, 0], [90, 0], [110, 0]]
    assert first["low"].tolist() == [[0, 0], [90, 0], [90, 0]]
    assert first["average"].tolist() == [[0, 0], [90, 0], [97, 0]]  # (2 × 90 + 110) / 3
    assert then["open"].tolist() == [[90, 400], [90, 400]]
    assert then["high"].tolist() == [[110, 400], [110, 600]]
    assert then["low"].tolist() == [[90, 400], [80, 400]]
    assert then["average"].tolist() == [[97, 400], [88, 550]]  # (290 + 240) / 6, (400 + 1,800) / 4


def test_only_boards_of_quotes_are_told_the_day_s_range():
    prices = [part([[1_000]], [[1]], [[0]])]

    quiet, told = (
        Ticker(np.full(1, 5.0), rows(1), rows(900), traded_s=7, tells_day=tells).quotes(
            rows(100), prices
        )
        for tells in (False, True)
    )

    assert quiet.day == {}
    assert sorted(told.day) == ["average", "high", "low", "open"]
    assert {int(each.item()) for each in told.day.values()} == {1_000}
