"""The desk: questions go out, answers lie ready, nobody waits."""

import asyncio
import json

import pytest
from prometheus_client import REGISTRY

from coach_minimal.config import Config
from coach_minimal.main import role
from oimon.clock import ManualClock
from oimon.coach.desk import NoModel, open_desk
from oimon.coach.settings import OPENROUTER, CoachSettings
from oimon.config import load
from oimon.errors import ConfigError
from oimon.terms import Action, Coach, DecidedBy
from tests.fakes.model import GOOD
from tests.unit.coach.market import (
    NOON_US,
    entry_of,
    later,
    make_analysis,
    make_question,
    make_transcript,
)


class Thinker:
    """A model that answers when the test lets it."""

    def __init__(self):
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.asked: list[str] = []
        self.notes: list[bool] = []
        self.off: str | None = None
        self.error = "timeout"

    def refusal(self):
        return self.off

    async def ask(self, prompt):
        self.asked.append(prompt)
        text = await self.answers.get()
        error = self.error if not text else None
        return make_transcript(prompt=prompt, answer=text, error=error)

    def note(self, *, is_good):
        self.notes.append(is_good)

    def status(self):
        return {}


@pytest.fixture
def clock():
    return ManualClock(NOON_US)


@pytest.fixture
def thinker():
    return Thinker()


@pytest.fixture
async def desk(clock, thinker):
    async with open_desk(thinker, Coach.MINIMAL, clock) as opened:
        yield opened


async def answer(thinker, text):
    thinker.answers.put_nowait(text)
    for _ in range(5):
        await asyncio.sleep(0)


QUESTION = make_question(make_analysis())


async def test_a_question_is_out_until_its_answer_lies_on_the_desk(desk, thinker):
    desk.ask(QUESTION)
    await asyncio.sleep(0)
    assert (desk.hear("NIFTY").newest, desk.can_ask("NIFTY", QUESTION.entry_id)) == (None, False)

    await answer(thinker, json.dumps(GOOD))

    assert desk.hear("NIFTY").answer.decision.action is Action.WAIT
    assert thinker.notes == [True]


async def test_one_question_a_second_of_an_underlying(desk, thinker, clock):
    desk.ask(QUESTION)
    await asyncio.sleep(0)
    await answer(thinker, json.dumps(GOOD))

    clock.advance(0.5)
    assert not desk.can_ask("NIFTY", QUESTION.entry_id)
    clock.advance(0.48)  # the next beat, 20 ms early
    assert desk.can_ask("NIFTY", QUESTION.entry_id)


async def test_underlyings_do_not_wait_for_each_other(desk):
    desk.ask(QUESTION)

    assert desk.can_ask("BANKNIFTY", QUESTION.entry_id)


async def test_an_old_analysis_is_not_worth_a_question(desk, clock):
    clock.advance(2.6)

    assert not desk.can_ask("NIFTY", QUESTION.entry_id)


async def test_nothing_is_asked_of_a_model_that_refuses(desk, thinker):
    thinker.off = "budget"

    assert not desk.can_ask("NIFTY", QUESTION.entry_id)
    assert desk.hear("NIFTY").off == "budget"


async def test_the_age_of_an_answer_is_that_of_its_analysis(desk, thinker, clock):
    clock.advance(0.5)
    desk.ask(QUESTION)
    await asyncio.sleep(0)
    clock.advance(2)
    await answer(thinker, json.dumps(GOOD))

    assert desk.hear("NIFTY").age_s == pytest.approx(2.5)


async def test_a_failure_lies_beside_the_last_good_answer(desk, thinker, clock):
    desk.ask(QUESTION)
    await asyncio.sleep(0)
    await answer(thinker, json.dumps(GOOD))
    clock.advance(1)
    desk.ask(make_question(later(make_analysis(), 1)))
    await asyncio.sleep(0)

    await answer(thinker, "")

    heard = desk.hear("NIFTY")
    assert heard.answer.question is QUESTION
    assert (heard.failure.transcript.error, heard.newest) == ("timeout", heard.failure)
    assert thinker.notes == [True, False]


async def test_in_a_quiet_market_a_slow_model_is_always_heard(desk, thinker, clock):
    duty, said = role(load(Config), desk), []
    state = duty.start("NIFTY")

    for second in range(60):
        state, (output,) = duty.handle(state, entry_of(later(make_analysis(), second, lot=None)))
        said.append(output.message.by)
        await asyncio.sleep(0)
        clock.advance(0.95)
        if len(thinker.asked) > len(thinker.notes):
            await answer(thinker, json.dumps(GOOD))
        clock.advance(0.05)

    assert said == [DecidedBy.RULE, *[DecidedBy.CACHED] * 59]
    assert len(thinker.asked) == 5  # and not 60


@pytest.mark.parametrize(
    ("level", "strikes"), [("none", (25_500, 26_600)), (24_600, (24_000, 28_000))]
)
async def test_a_level_that_is_left_out_leaves_the_answer(desk, thinker, level, strikes):
    desk.ask(make_question(make_analysis(), strikes=strikes))
    await asyncio.sleep(0)

    await answer(thinker, json.dumps({**GOOD, "invalidation": level}))

    found = desk.hear("NIFTY").answer
    assert (found.decision.invalidation, found.warnings) == (None, ("invalidation_dropped",))


@pytest.mark.parametrize(
    ("reason", "is_heard"),
    [("puts 48,200 against calls 18,400 at 26000", True), ("puts 48,300 at 26000", False)],
)
async def test_open_interest_that_was_told_is_no_level_outside(desk, thinker, reason, is_heard):
    desk.ask(make_question(make_analysis(), prompt='{"chain":[[26000,18400,48200]]}'))
    await asyncio.sleep(0)

    await answer(thinker, json.dumps({**GOOD, "reasons": [reason]}))

    assert (desk.hear("NIFTY").answer is not None) is is_heard


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"action": "BUY"}, "invalid: bad_action"),
        ({"reasons": ["wall at 31000"]}, "invalid: outside_chain"),
        ({"invalidation": 31_000}, "invalid: outside_chain"),
        ({"invalidation": 25_400}, "invalid: outside_chain"),  # near enough, and no strike there
    ],
)
async def test_an_answer_that_does_not_pass_is_a_failure(desk, thinker, changed, error):
    desk.ask(QUESTION)
    await asyncio.sleep(0)

    await answer(thinker, json.dumps({**GOOD, **changed}))

    heard = desk.hear("NIFTY")
    assert (heard.answer, heard.failure.transcript.error) == (None, error)
    assert thinker.notes == [False]


@pytest.mark.parametrize("why", ["budget", "budget_unknown"])
async def test_a_question_that_did_not_go_out_is_no_failure_of_the_model(desk, thinker, why):
    before = REGISTRY.get_sample_value("oi_model_seconds_count", {"coach": "minimal"}) or 0
    thinker.error = why
    desk.ask(QUESTION)
    await asyncio.sleep(0)

    await answer(thinker, "")

    assert desk.hear("NIFTY").newest.transcript.error == why
    assert thinker.notes == []
    assert (
        REGISTRY.get_sample_value("oi_model_seconds_count", {"coach": "minimal"}) or 0
    ) == before


async def test_questions_still_out_at_the_end_are_dropped(clock, thinker):
    async with open_desk(thinker, Coach.RICH, clock) as desk:
        desk.ask(QUESTION)
        await asyncio.sleep(0)

    assert desk.out == set()


def test_a_desk_without_a_model_says_why(clock):
    desk = NoModel("no_key", clock)
    clock.advance(3)

    assert (desk.hear("NIFTY").off, desk.can_ask("NIFTY", QUESTION.entry_id)) == ("no_key", False)
    assert (desk.age_s(QUESTION.entry_id), NoModel("offline").age_s(QUESTION.entry_id)) == (
        3.0,
        0.0,
    )
    with pytest.raises(ValueError, match="no_key"):
        desk.ask(QUESTION)


# --- settings ------------------------------------------------------------------------------------------------------


@pytest.fixture
def settings(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("MODEL_BASE_URL", "MODEL_API_KEY", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def make(**given):
        return load(CoachSettings, given)

    return make


def test_without_an_address_and_a_key_there_is_no_model(settings):
    assert settings().address is None


def test_a_key_alone_means_openrouter(settings):
    address = settings(openrouter_api_key="k").address

    assert (address.base_url, address.key.get_secret_value()) == (OPENROUTER, "k")


def test_an_address_alone_needs_no_key(settings):
    address = settings(model_base_url="http://127.0.0.1:9/v1").address

    assert (address.base_url, address.key) == ("http://127.0.0.1:9/v1", None)


def test_the_models_own_key_comes_first(settings):
    address = settings(model_api_key="own", openrouter_api_key="other").address

    assert address.key.get_secret_value() == "own"


@pytest.mark.parametrize("address", ["localhost:11434", "http://", "http://[::bad", "http://h:x"])
def test_an_address_that_is_none_is_refused(settings, address):
    with pytest.raises(ConfigError, match="MODEL_BASE_URL"):
        settings(model_base_url=address)
