import pytest

from dashboard import views
from dashboard.views import NotThereError
from oimon.terms import SERVICES, FeedState, MarketState
from tests.builders import make_status
from tests.unit.notifier.samples import (
    NOW_US,
    make_advice,
    make_analysis,
    make_board,
    make_entry,
    make_rich_advice,
)

ALL = [make_status(name) for name in SERVICES]


def analysed(**given):
    return make_entry(make_analysis(**given))


def test_an_analysis_is_given_whole_with_its_age():
    answer = views.analysis(analysed(), NOW_US + 1_500_000)

    assert (answer["underlying"], answer["ist"]) == ("NIFTY", "2026-08-18 12:41:07")
    assert (answer["age_ms"], answer["is_stale"], answer["mode"]) == (1_500, False, "REPLAY")
    assert answer["analysis"]["pcr"] == 1.18
    assert answer["analysis"]["chain"]["strike"][0] == 24_000


@pytest.mark.parametrize(
    ("given", "ago_s", "stale"),
    [
        ({}, 5.0, False),
        ({}, 5.1, True),
        ({"is_stale": True}, 0.0, True),
        ({"feed": FeedState.ENDED}, 3_600.0, False),
        ({"market": MarketState.CLOSED}, 3_600.0, False),
        ({"market": MarketState.OPEN_CAS}, 6.0, True),
    ],
)
def test_an_analysis_is_stale_by_its_own_word_or_by_its_age_while_the_market_is_open(
    given, ago_s, stale
):
    answer = views.analysis(analysed(**given), NOW_US + round(ago_s * 1e6))

    assert answer["is_stale"] is stale


def test_a_chain_is_aligned_columns_of_the_nearest_expiry():
    answer = views.chain(analysed(), NOW_US, None)

    assert answer["expiry"] == "2026-08-20"
    assert answer["expiries"] == ["2026-08-20", "2026-08-25"]
    assert (answer["lot"], answer["spot"], answer["atm"]) == (65, 24_512.35, 24_500)
    assert len(answer["columns"]["ce"]["oi"]) == len(answer["columns"]["strike"])
    assert answer["verdicts"][0] == {
        "strike": 24_300,
        "ce_build_up": "NONE",
        "pe_build_up": "SHORT_BUILDUP",
        "verdict": "Bull",
        "score": 0.5,
    }


def test_another_expiry_is_given_when_asked():
    assert views.chain(analysed(), NOW_US, "2026-08-25")["expiry"] == "2026-08-25"


def test_an_expiry_that_is_not_tracked_is_answered_with_those_that_are():
    with pytest.raises(NotThereError) as caught:
        views.chain(analysed(), NOW_US, "2026-12-29")

    assert caught.value.error == "NIFTY has no expiry 2026-12-29 here"
    assert caught.value.what_to_do == "Ask for one of 2026-08-20, 2026-08-25"


def test_a_mode_without_options_has_no_chain_and_no_history_and_says_where_its_quotes_are():
    board = make_entry(make_board())

    for view in (lambda: views.chain(board, NOW_US, None), lambda: views.history(board, NOW_US)):
        with pytest.raises(NotThereError, match=r"in MCX mode\. Ask /analysis/SILVERMIC"):
            view()
    assert views.analysis(board, NOW_US)["quotes"]["rows"][0]["ltp"] == 113_245


def test_the_history_is_a_row_a_minute_with_names():
    minutes = views.history(analysed(), NOW_US)["minutes"]

    assert len(minutes) == 10
    assert minutes[-1] == {
        "ts_s": NOW_US // 60_000_000 * 60,
        "ist": "2026-08-18 12:41:00",
        "x": 24_500,
        "pcr": 1.18,
        "coi": 0.5,
        "score": 0.4,
        "direction": "BULLISH",
        "max_pain": 24_450,
    }


def test_a_coach_that_has_not_spoken_is_null():
    answer = views.advice("NIFTY", make_entry(make_advice()), None, NOW_US + 2_000_000)

    assert answer["rich"] is None
    assert (answer["minimal"]["action"], answer["minimal"]["by"]) == ("WAIT", "rule")
    assert answer["minimal"]["age_ms"] == 2_000
    rich = make_entry(make_rich_advice())
    assert views.advice("NIFTY", None, rich, NOW_US)["rich"]["confidence"] == 0.62


def test_a_system_of_which_every_service_is_ready_is_ready():
    answer = views.system(ALL, {"NIFTY": analysed()}, NOW_US)

    assert (answer["state"], answer["missing"]) == ("ready", [])
    assert answer["says"] == "all services run; NIFTY REPLAY: market OPEN"
    assert answer["underlyings"]["NIFTY"]["tick_age_ms"] == 300
    assert answer["underlyings"]["NIFTY"]["oi_age_s"] == 72


def test_missing_and_unready_services_and_bad_feeds_are_named():
    statuses = [
        make_status(name) for name in SERVICES if name not in ("notifier", "coach-rich", "ingest")
    ]
    statuses.append(make_status("ingest", state="not ready", problems=["login failed"]))
    newest = {
        "NIFTY": analysed(feed=FeedState.DOWN),
        "SENSEX": analysed(is_stale=True),
        "BANKNIFTY": None,
    }

    answer = views.system(statuses, newest, NOW_US)

    assert answer["state"] == "degraded"
    assert answer["says"] == (
        "not running: coach-rich, notifier; ingest-1: login failed; NIFTY: feed down; SENSEX: stale"
    )
    assert answer["underlyings"]["BANKNIFTY"]["says"] == "no analysis yet"


def test_who_is_being_stopped_troubles_nobody_and_what_is_owned_twice_does():
    leaving = make_status(
        "analytics", replica="analytics-2", state="stopping", problems=["it stops"]
    )
    held = {"role": "analytics", "partition": "NIFTY", "epoch": 5_000}
    owners = [
        make_status("ingest", replica=name, partitions=[held], at_us=9_000_000) for name in "ab"
    ]

    with_a_successor = views.system([*ALL, leaving], {}, NOW_US)
    owned_twice = views.system([*ALL, *owners], {}, NOW_US)

    assert with_a_successor["state"] == "ready"
    assert owned_twice["state"] == "degraded"
    assert owned_twice["says"].startswith("analytics of NIFTY is claimed by a (epoch 5000) and b")


def test_what_a_service_says_is_off_is_listed_with_its_reason():
    statuses = [
        make_status("notifier", telegram={"off": "TELEGRAM_BOT_TOKEN is not set"}),
        make_status("coach-rich", model={"off": None, "calls": 3}),
    ]

    answer = views.system(statuses, {"SILVERMIC": make_entry(make_board())}, NOW_US)

    assert answer["off"] == ["notifier: telegram is off: TELEGRAM_BOT_TOKEN is not set"]
    assert answer["underlyings"]["SILVERMIC"]["off"][0] == "option analysis: off in MCX mode"


def test_a_day_that_has_ended_says_so():
    answer = views.system(ALL, {"NIFTY": analysed(feed=FeedState.ENDED)}, NOW_US + 900_000_000)

    assert answer["state"] == "ready"
    assert answer["says"] == "all services run; NIFTY REPLAY: the recorded day has ended"


def test_a_system_without_underlyings_says_so():
    assert views.system(ALL, {}, NOW_US)["says"] == (
        "all services run; no underlying is watched yet"
    )
