"""Coaches with a real client and a model on loopback that answers well, late, wrong or never."""

import asyncio
import dataclasses
import time

import pytest
from prometheus_client import REGISTRY

from coach_minimal.config import Config
from coach_minimal.main import role as minimal_role
from coach_rich.main import role as rich_role
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.coach import payload
from oimon.coach.budget import Budget
from oimon.coach.desk import open_desk
from oimon.coach.wiring import desk_of
from oimon.config import load
from oimon.errors import BusDown
from oimon.llm.limits import FAILURES
from oimon.llm.model import Asked, OpenAiModel
from oimon.terms import Action, Coach, DecidedBy
from tests.eventually import eventually
from tests.fakes.model import GOOD, FakeModel, Mood
from tests.unit.coach.market import entry_of, later, make_analysis

CLOCK = SystemClock()
NAME = "openai/gpt-4o-mini"  # listed, so that its price is known


@pytest.fixture
async def server():
    async with FakeModel() as fake:
        yield fake


@pytest.fixture
async def make_model(server):
    opened = []

    async def make(timeout_s=5.0, calls=1000, inr=1000.0, bus=None):
        asked = Asked(
            base_url=server.base_url,
            key="secret-key",
            name=NAME,
            system=payload.SYSTEM,
            schema=payload.SCHEMA,
            timeout_s=timeout_s,
            max_tokens=300,
        )
        budget = Budget(
            bus or MemoryBus(), Coach.MINIMAL, calls=calls, inr=inr, usd_inr=90.0, clock=CLOCK
        )
        model = OpenAiModel(asked, budget, CLOCK)
        await model.open()
        opened.append(model)
        return model

    yield make
    for model in opened:
        await model.close()


def now(analysis):
    """The analysis as an entry that was written this instant."""
    return dataclasses.replace(entry_of(analysis), id=f"{CLOCK.now_us() // 1000}-0")


async def test_a_good_answer_comes_with_its_transcript_and_cost(server, make_model):
    server.cost = 0.000123
    model = await make_model()

    transcript = await model.ask("{}")

    assert (transcript.error, transcript.model) == (None, NAME)
    assert (transcript.tokens_in, transcript.tokens_out) == (300, 60)
    assert transcript.cost_usd == 0.000123
    assert server.keys == ["bearer secret-key"]
    assert server.requests[0]["response_format"]["json_schema"]["strict"] is True


async def test_an_unstated_cost_is_that_of_the_price_list(make_model):
    transcript = await (await make_model()).ask("{}")

    assert transcript.cost_usd == pytest.approx((300 * 0.15 + 60 * 0.60) / 1e6)


async def test_a_server_without_schemas_is_asked_in_a_plainer_form(server, make_model):
    server.mood = Mood.NO_SCHEMA
    model = await make_model()

    first, second = await model.ask("{}"), await model.ask("{}")

    assert (first.error, second.error) == (None, None)
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_object", "json_object"]


async def test_a_plainer_form_is_not_asked_where_the_strict_one_took_the_last_call(
    server, make_model
):
    server.mood = Mood.NO_SCHEMA
    model = await make_model(calls=1)

    assert (await model.ask("{}")).error == "http_400"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("mood", "error"),
    [
        (Mood.NEVER, "timeout"),
        (Mood.EMPTY, "empty"),
        (Mood.HUGE, "too_long"),
        (Mood.NO_CHOICES, "bad_response"),
        (Mood.NOT_HTTP_JSON, "bad_response"),
        (Mood.HALF, "connection"),
        (Mood.LIMITED, "http_429"),
        (Mood.BROKEN, "http_500"),
        (Mood.NOT_JSON, "invalid: not_json"),
        (Mood.UNKNOWN_ACTION, "invalid: bad_action"),
        (Mood.NOT_A_NUMBER, "invalid: bad_confidence"),
        (Mood.OUTSIDE_CHAIN, "invalid: outside_chain"),
        (Mood.ECHO, "invalid: bad_action"),
    ],
)
async def test_whatever_the_model_does_each_beat_gets_its_rule_advice(
    server, make_model, mood, error
):
    server.mood = mood
    model = await make_model(timeout_s=0.2 if mood is Mood.NEVER else 5.0)
    async with open_desk(model, Coach.MINIMAL, CLOCK) as desk:
        duty = minimal_role(load(Config), desk)
        state, (first,) = duty.handle(duty.start("NIFTY"), now(make_analysis()))

        await eventually(lambda: desk.hear("NIFTY").newest)
        _, (second,) = duty.handle(state, now(later(make_analysis(), 0.1)))

    assert (first.message.by, first.message.by_why) == (DecidedBy.RULE, "waiting")
    assert (second.message.by, second.message.rule_action) == (DecidedBy.RULE, Action.ENTER)
    assert second.message.transcript.error == error
    assert len(server.requests) == 1


async def test_a_late_answer_is_cached_for_the_beats_that_follow(server, make_model):
    server.mood = Mood.LATE
    analysis = make_analysis(confidence_factor=0.3)
    async with open_desk(await make_model(), Coach.MINIMAL, CLOCK) as desk:
        duty = minimal_role(load(Config), desk)
        state, (first,) = duty.handle(duty.start("NIFTY"), now(analysis))
        state, (second,) = duty.handle(state, now(later(analysis, 1, confidence_factor=0.3)))

        server.let_go.set()
        await eventually(lambda: desk.hear("NIFTY").newest)
        _, (third,) = duty.handle(state, now(later(analysis, 2, confidence_factor=0.3)))

    assert [o.message.by for o in (first, second, third)] == [
        DecidedBy.RULE,
        DecidedBy.RULE,
        DecidedBy.CACHED,
    ]
    assert third.message.input_ts_us == analysis.ts_us
    assert third.message.reasons == GOOD["reasons"]


async def test_the_deep_coach_answers_the_analysis_it_was_asked_about(server, make_model):
    server.answer = {**GOOD, "action": "ENTER", "side": "PE", "horizon_min": 30}
    asked = now(make_analysis())
    async with open_desk(await make_model(), Coach.RICH, CLOCK) as desk:
        duty = rich_role(desk)
        state, none = duty.handle(duty.start("NIFTY"), asked)

        await eventually(lambda: desk.hear("NIFTY").newest)
        _, (output,) = duty.handle(state, now(later(make_analysis(), 9)))

    assert (none, output.id) == ((), asked.id)
    assert (output.message.by, output.message.side) == (DecidedBy.MODEL, "PE")
    assert output.message.ts_us == make_analysis().ts_us


async def test_five_failures_in_a_row_open_the_breaker(server, make_model):
    server.mood = Mood.BROKEN
    model = await make_model()

    for _ in range(FAILURES):
        assert model.refusal() is None
        model.note(is_good=(await model.ask("{}")).error is None)

    assert model.refusal() == "breaker"
    async with open_desk(model, Coach.MINIMAL, CLOCK) as desk:
        duty = minimal_role(load(Config), desk)
        _, (output,) = duty.handle(duty.start("NIFTY"), now(make_analysis()))
    assert output.message.by_why == "breaker"
    assert len(server.requests) == FAILURES


async def test_a_spent_budget_makes_no_further_call(server, make_model):
    model = await make_model(calls=2)

    await model.ask("{}")
    await model.ask("{}")

    assert model.refusal() == "budget"
    async with open_desk(model, Coach.MINIMAL, CLOCK) as desk:
        duty = minimal_role(load(Config), desk)
        _, (output,) = duty.handle(duty.start("NIFTY"), now(make_analysis()))
    assert output.message.by_why == "budget"
    assert len(server.requests) == 2


async def test_rupees_are_counted_at_the_rate_given(server, make_model):
    server.cost = 0.01
    model = await make_model(inr=1.0)

    await model.ask("{}")
    assert (model.refusal(), model.status()["budget"]["inr"]) == (None, 0.9)
    await model.ask("{}")

    assert model.refusal() == "budget"


class Counting(MemoryBus):
    """A bus whose log answers the first questions about money only, then says that it is away, or nothing."""

    answers = 0
    is_silent = False

    async def spend(self, *args):
        self.answers -= 1
        if self.answers >= 0:
            return await super().spend(*args)
        if self.is_silent:
            await asyncio.Event().wait()
        raise BusDown("away")


@pytest.mark.parametrize("is_silent", [False, True])
async def test_what_nobody_can_count_is_not_asked(server, make_model, is_silent):
    bus = Counting()
    bus.is_silent = is_silent
    model = await make_model(bus=bus, timeout_s=0.1)
    async with open_desk(model, Coach.RICH, CLOCK) as desk:
        duty = rich_role(desk)
        state, none = duty.handle(duty.start("NIFTY"), now(make_analysis()))

        await eventually(lambda: desk.hear("NIFTY").newest)
        _, (output,) = duty.handle(state, now(later(make_analysis(), 0.1)))

    assert (none, server.requests) == ((), [])
    assert (output.message.by, output.message.by_why) == (DecidedBy.RULE, "budget_unknown")
    assert output.message.transcript.error == "budget_unknown"


async def test_an_answer_that_was_paid_is_used_whether_or_not_its_cost_can_be_told(make_model):
    bus = Counting()
    bus.answers = 1

    transcript = await (await make_model(bus=bus)).ask("{}")

    assert (transcript.error, transcript.tokens_out) == (None, 60)


@pytest.mark.parametrize(
    ("mood", "inr"), [(Mood.BROKEN, 0.0), (Mood.HALF, 0.0), (Mood.NEVER, 1.8), (Mood.NO_CHOICES, 1.8)]
)  # fmt: skip
async def test_what_was_taken_is_given_back_where_nothing_was_sold(
    server, make_model, monkeypatch, mood, inr
):
    monkeypatch.setattr("oimon.llm.model._price", lambda *_: 0.02)
    server.mood = mood
    model = await make_model(timeout_s=0.2 if mood is Mood.NEVER else 5.0)

    await model.ask("{}")

    budget = model.status()["budget"]
    assert (budget["calls"], budget["inr"]) == (1, inr)


async def test_a_model_that_is_not_there_is_a_failed_connection(server, make_model):
    model = await make_model()
    server._server.close()

    assert (await model.ask("{}")).error == "connection"


async def test_no_secret_stands_in_status_or_transcript(server, make_model):
    server.mood = Mood.BROKEN
    model = await make_model()

    transcript = await model.ask("{}")

    assert "secret-key" not in f"{model.status()} {transcript}"


async def test_without_an_address_the_desk_says_no_key(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    settings = load(Config)

    async with desk_of(
        settings, MemoryBus(), CLOCK, Coach.MINIMAL, model=NAME, timeout_s=2.5, max_tokens=9
    ) as desk:
        assert desk.status()["off"] == "no_key"


async def test_settings_lead_to_the_model_they_name(server):
    settings = load(Config, {"model_base_url": server.base_url})

    async with desk_of(
        settings,
        MemoryBus(),
        CLOCK,
        Coach.MINIMAL,
        model="a-local-one",
        timeout_s=2.5,
        max_tokens=9,
    ) as desk:
        duty = minimal_role(settings, desk)
        duty.handle(duty.start("NIFTY"), now(make_analysis()))
        await eventually(lambda: desk.hear("NIFTY").answer)

    assert (server.requests[0]["model"], server.keys) == ("a-local-one", ["bearer none"])


async def test_the_share_of_the_budget_that_is_used_is_told(server):
    limits = {"model_budget_calls": 4, "model_budget_inr": 1000.0}
    settings = load(Config, {"model_base_url": server.base_url, **limits})

    async with desk_of(
        settings, MemoryBus(), CLOCK, Coach.MINIMAL, model=NAME, timeout_s=2.5, max_tokens=9
    ) as desk:
        duty = minimal_role(settings, desk)
        duty.handle(duty.start("NIFTY"), now(make_analysis()))
        await eventually(lambda: desk.hear("NIFTY").answer)
        used = REGISTRY.get_sample_value("oi_model_budget_ratio", {"coach": Coach.MINIMAL})

    assert used == 0.25


async def test_a_beat_never_waits_for_a_model(server, make_model):
    server.mood = Mood.NEVER
    async with open_desk(await make_model(), Coach.MINIMAL, CLOCK) as desk:
        duty = minimal_role(load(Config), desk)
        state, took = duty.start("NIFTY"), []
        for second in range(50):
            began = time.perf_counter()
            state, outputs = duty.handle(state, now(later(make_analysis(), second)))
            took.append(time.perf_counter() - began)
            assert len(outputs) == 1

    assert sorted(took)[25] < 0.1
