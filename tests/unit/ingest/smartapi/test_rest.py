from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.smartapi.account import Account
from ingest.smartapi.checking import Checking
from ingest.smartapi.cross_check import Newest
from ingest.smartapi.envelope import Answer
from ingest.smartapi.errors import NotNow
from ingest.smartapi.limits import Endpoint, Limits
from ingest.smartapi.rest import BATCH, Rest, batches, window
from oimon import metrics
from oimon.bus import Entry
from oimon.bus.memory import MemoryBus
from oimon.codec import encode
from oimon.messages import FutureReading
from oimon.terms import Segment
from tests.unit.coach.market import make_analysis
from tests.unit.ingest.smartapi.standin import CREDENTIALS, Here, ScriptedBroker, refusal
from tests.unit.ingest.smartapi.virtual import LoopClock, run

AT_US = 1_795_578_300_000_000  # 2026-11-25 09:15:00 in India


def answer(data):
    return Answer(ok=True, code=None, message="SUCCESS", data=data)


def rest(on_ask):
    """Return the requests, and the broker that answers them."""
    clock = LoopClock(AT_US)
    broker = ScriptedBroker(clock)
    broker.on_ask = on_ask if callable(on_ask) else lambda: on_ask
    limits = Limits(clock, jitter=lambda: 0.5)
    return Rest(Account(CREDENTIALS, clock, connect=broker, limits=limits, threads=Here())), broker


def fetched(exchange, token, oi=650):
    return {
        "exchange": exchange,
        "symbolToken": token,
        "tradingSymbol": f"S{token}",
        "tradeVolume": 1300,
        "opnInterest": oi,
        "exchFeedTime": "25-Nov-2026 09:15:02",
    }


def test_quotes_are_asked_for_fifty_at_a_time_at_a_second_s_distance():
    async def main():
        found, broker = rest(None)
        broker.on_ask = lambda: answer(
            {
                "fetched": [
                    fetched(exchange, token)
                    for exchange, tokens in broker.asked[-1][2].items()
                    for token in tokens
                ]
            }
        )
        keys = [("NFO", str(n)) for n in range(120)] + [("NSE", "1"), ("NFO", "5")]

        got = [batch async for batch in found.quotes(keys)]

        asked = [tokens for _, _, tokens in broker.asked]
        assert [sum(map(len, tokens.values())) for tokens in asked] == [50, 50, 21]
        assert asked[2]["NSE"] == ["1"]
        assert {mode for _, mode, _ in broker.asked} == {"FULL"}
        assert list(got[2].quotes)[-1] == ("NSE", "1")
        assert sum(len(batch.quotes) for batch in got) == 121
        assert broker.clock.monotonic_s() == pytest.approx(2.2, abs=0.01)

    run(main())


def test_what_was_not_asked_for_is_not_taken_and_what_was_not_fetched_is_told():
    async def main():
        missed = {"exchange": "NFO", "symbolToken": "2", "message": "no", "errorCode": "AB4018"}
        found, _ = rest(answer({"fetched": [fetched("BFO", "1")], "unfetched": [missed]}))

        (batch,) = [b async for b in found.quotes([("NFO", "1"), ("NFO", "2")])]

        assert batch.quotes == {}
        assert [(m.token, m.code) for m in batch.unfetched] == [("2", "AB4018")]

    run(main())


@given(
    st.lists(st.tuples(st.sampled_from(["NFO", "BFO"]), st.integers(0, 200).map(str)), max_size=300)
)
def test_batches_hold_every_key_once_and_no_more_than_are_allowed(keys):
    found = list(batches(keys))

    assert [key for batch in found for key in batch] == list(dict.fromkeys(keys))
    assert all(0 < len(batch) <= BATCH for batch in found)


def test_a_gap_s_open_interest_is_asked_for_by_whole_minutes_and_cut_to_the_gap():
    async def main():
        rows = [
            {"time": f"2026-11-25T09:{minute}:00+05:30", "oi": minute}
            for minute in (12, 15, 18, 21)
        ]
        found, broker = rest(answer(rows))

        points = await found.oi_between(("NFO", "40637"), AT_US, AT_US + 200_000_000)

        assert [(p.at_us - AT_US, p.oi) for p in points] == [(0, 15), (180_000_000, 18)]
        ((endpoint, asked),) = broker.asked
        assert endpoint is Endpoint.OI
        assert asked == {
            "exchange": "NFO",
            "symboltoken": "40637",
            "interval": "THREE_MINUTE",
            "fromdate": "2026-11-25 09:03",
            "todate": "2026-11-25 09:19",
        }

    run(main())


@pytest.mark.parametrize("nothing", [answer(None), answer([]), refusal("AB9019"), answer("what")])
def test_no_history_is_none(nothing):
    async def main():
        found, _ = rest(nothing)

        assert await found.oi_between(("NFO", "1"), AT_US, AT_US + 1) is None
        assert await found.oi_prev(("NFO", "1"), date(2026, 11, 25)) is None

    run(main())


def test_a_window_always_ends_after_it_begins():
    assert window(AT_US, AT_US) == ("2026-11-25 09:00", "2026-11-25 09:16")
    assert window(AT_US, AT_US + 3_600_000_000) == ("2026-11-25 09:15", "2026-11-25 10:16")


def test_the_previous_session_s_open_interest_is_the_last_before_the_day():
    async def main():
        rows = [
            {"time": "2026-11-23T15:39:00+05:30", "oi": 1},
            {"time": "2026-11-24T15:39:00+05:30", "oi": 650},
            {"time": "2026-11-25T09:15:00+05:30", "oi": 715},
        ]
        found, broker = rest(answer(rows))

        point = await found.oi_prev(("NFO", "1"), date(2026, 11, 25))

        assert point.oi == 650
        asked = broker.asked[0][1]
        assert (asked["fromdate"], asked["todate"]) == ("2026-11-18 09:00", "2026-11-25 00:00")

    run(main())


def test_one_contract_that_is_not_answered_does_not_stop_the_others():
    async def main():
        day = [{"time": "2026-11-24T15:39:00+05:30", "oi": 650}]
        answers = iter([answer(day), NotNow("504"), refusal("AB1009"), answer(None)])
        found, broker = rest(lambda: next(answers))
        keys = [("NFO", str(n)) for n in range(4)]

        got = [(k, p and p.oi) async for k, p in found.all_oi_prev(keys, date(2026, 11, 25))]

        assert got == [(("NFO", "0"), 650), (("NFO", "3"), None)]
        assert broker.clock.monotonic_s() == pytest.approx(3.3, abs=0.01)

    run(main())


def test_greeks_are_asked_of_nfo_only():
    async def main():
        row = {"strikePrice": "24200.000000", "optionType": "PE", "delta": "-0.4"}
        found, broker = rest(answer([row]))

        (greek,) = await found.greeks("NIFTY", date(2026, 12, 1), Segment.NFO)
        none = await found.greeks("CRUDEOIL", date(2026, 12, 1), Segment.MCX)

        assert (greek.strike, greek.delta, none) == (24200.0, -0.4, None)
        assert broker.asked == [(Endpoint.GREEKS, {"name": "NIFTY", "expirydate": "01DEC2026"})]

    run(main())


def counted(what, outcome):
    return metrics.BROKER_CHECKS.labels(what, outcome)._value.get()


def test_what_differs_is_counted_and_told():
    async def main():
        found, _ = rest(answer({"fetched": [fetched("NFO", "1", 650), fetched("NFO", "2", 715)]}))
        checking = Checking(found)
        stream = {("NFO", t): Newest(oi=650, exchange_us=AT_US + 2_000_000) for t in "12"}
        before = counted("oi", "differs")

        async for _, comparison in checking.oi(stream, lambda: stream):
            assert comparison.newer == []

        assert checking.facts()["oi"] == {
            "equal": 1,
            "newer": 0,
            "differs": 1,
            "missing": 0,
            "last": ["S2: 650 here, 715 there"],
        }
        assert counted("oi", "differs") == before + 1

    run(main())


def test_an_analysis_is_held_against_the_broker_s_greeks_and_ratio():
    async def main():
        analysis = make_analysis(
            pcr=1.0,
            future=FutureReading(
                symbol="NIFTY29DEC26FUT", mark=1.0, oi=1, build_up=None, basis=None
            ),
        )
        strike = float(analysis.chain.strike[0])
        row = {
            "strikePrice": str(strike),
            "optionType": "CE",
            "impliedVolatility": "900",
            "delta": "9",
        }
        answers = iter([answer([row]), answer([{"tradingSymbol": "NIFTY29DEC26FUT", "pcr": 1.02}])])
        found, broker = rest(lambda: next(answers))
        checking = Checking(found)

        await checking.analysis(analysis)

        facts = checking.facts()
        assert [asked[0] for asked in broker.asked] == [Endpoint.GREEKS, Endpoint.PCR]
        assert facts["pcr"]["equal"] == 1
        assert sum(facts["iv"][o] for o in ("equal", "differs", "missing")) == 1
        assert sum(facts["delta"][o] for o in ("equal", "differs", "missing")) == 1

    run(main())


def test_of_each_underlying_the_newest_analysis_of_the_run_is_compared_and_no_old_one():
    async def main():
        found, broker = rest(answer([]))
        bus = MemoryBus()
        analyses = {
            "NIFTY": make_analysis(run="r", future=None),
            "BANKNIFTY": make_analysis(run="another", future=None),
            "SENSEX": make_analysis(run="r", future=None, is_stale=True),
        }

        class Newest:
            async def latest(self, stream, underlying):
                message = analyses.get(underlying)
                return message and Entry(
                    stream=stream, partition=underlying, id="1-0", kind="analysis", version=1, data=encode(message)
                )  # fmt: skip

        await Checking(found).newest(Newest(), [*analyses, "FINNIFTY"], "r")
        await Checking(found).newest(bus, ["NIFTY"], "r")

        assert [asked[1]["name"] for asked in broker.asked] == ["NIFTY"]

    run(main())
