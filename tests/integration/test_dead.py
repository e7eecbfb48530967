"""``oi dead``: what was set aside is listed, shown, and tried again."""

import asyncio

import orjson
import pytest
import redis as redis_py
from typer.testing import CliRunner

from notifier.main import TO_DATABASE
from oimon import log_commands
from oimon.bus.log import NEVER, SENDER
from oimon.bus.redis import RedisLog
from oimon.cli import app
from oimon.codec import encode
from oimon.errors import ConfigError
from oimon.messages import OUTBOX, Text
from tests.integration.logged_day import log_a_day

TICKS = "oi.ticks.v1:{NIFTY}"
ANALYSES = "oi.analysis.v1:{NIFTY}"


@pytest.fixture
def day(redis_url, tmp_path, monkeypatch):
    """A client of the server with the day in its log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr(log_commands.out, "width", 200)  # so that no cell is folded
    asyncio.run(log_a_day(redis_url, tmp_path))
    with redis_py.Redis.from_url(redis_url) as client:
        yield client


def told(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["dead", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["dead", *arguments])
    assert isinstance(result.exception, ConfigError)
    return str(result.exception)


def set_aside(
    client, stream: str, entry_id: str, fields: dict, role: str, why: str = "bad"
) -> None:
    """Put an entry of a stream on a list, as the bus would."""
    kept = {name: fields[name] for name in (b"n", b"v", b"t", b"d")}
    told = {
        "at": 1_787_037_067_000,
        "why": why,
        "tries": 1,
        "s": stream.split(":", maxsplit=1)[0],
        "id": entry_id,
    }
    client.xadd(f"oi.dead.v1:{{NIFTY}}:{role}", kept | told)


def newest(client, stream: str) -> tuple[str, dict]:
    [(entry_id, fields)] = client.xrevrange(stream, count=1)
    return entry_id.decode(), fields


def make_poison(client) -> str:
    """Have the newest beat set aside, as if a former analytics had failed on it."""
    entry_id, fields = newest(client, TICKS)
    client.xdel(ANALYSES, entry_id)
    set_aside(client, TICKS, entry_id, fields, "analytics", "ValueError: of a former version")
    return entry_id


def test_nothing_set_aside_is_said(day):
    assert told("list") == (0, "Nothing is set aside\n")


def test_what_was_set_aside_is_listed_with_who_and_why_and_shown_whole(day):
    entry_id, fields = newest(day, ANALYSES)
    set_aside(day, ANALYSES, entry_id, fields, "db", "PoisonMessage: the database refuses its row")
    set_aside(day, ANALYSES, "7-0", fields | {b"d": b"?"}, "coach-minimal")

    _, everything = told("list")
    _, of_one = told("list", "NIFTY", "--role", "db")
    _, shown = told("show", "NIFTY", "db", entry_id)
    _, broken = told("show", "nifty", "coach-minimal", "7-0")

    assert entry_id in everything
    assert "the database refuses its row" in everything
    assert "coach-minimal" in everything
    assert "coach-minimal" not in of_one
    assert f"oi.analysis.v1:NIFTY/{entry_id}" in shown
    assert '"underlying":"NIFTY"' in shown
    assert "b'?' (not a message of kind analysis" in broken


def test_ticks_are_shown_by_their_number(day):
    [(entry_id, fields), *_] = [row for row in day.xrange(TICKS) if row[1][b"t"] == b"ticks"]
    set_aside(day, TICKS, entry_id.decode(), fields, "analytics")

    assert "ticks of table" in told("show", "NIFTY", "analytics", entry_id.decode())[1]


def test_of_an_entry_and_its_answer_which_bear_one_id_the_one_that_is_named_is_shown(day):
    entry_id, fields = newest(day, ANALYSES)
    for stream in (TICKS, ANALYSES):
        set_aside(day, stream, entry_id, fields, "db")

    keys = [
        f"{stream.replace('{', '').replace('}', '')}/{entry_id}" for stream in (TICKS, ANALYSES)
    ]
    refusal = refused("show", "NIFTY", "db", entry_id)
    code, words = told("show", "NIFTY", "db", keys[1])

    assert all(key in refusal for key in keys)
    assert (code, keys[1] in words) == (0, True)


def test_an_entry_that_a_sink_could_not_use_is_handed_to_it_again(day, redis_url):
    entry_id, fields = newest(day, ANALYSES)
    set_aside(day, ANALYSES, entry_id, fields, "db")

    code, words = told("replay", "NIFTY", "db", entry_id)

    assert (code, words) == (0, f"{entry_id}: db is given it again within half a minute\n")
    assert told("list") == (0, "Nothing is set aside\n")
    assert asyncio.run(claimed(redis_url)) == [entry_id]


async def claimed(url: str) -> list[str]:
    log = RedisLog(url, "sink")
    found = await log.group_claim("db", TO_DATABASE, "NIFTY", 10)
    await log.close()
    return [entry.id for entry, _ in found]


def put_aside_a_text(client, url: str, data: bytes) -> str:
    """Have a text set aside by the sender, as when its chat is gone; return its id."""

    async def work() -> str:
        log = RedisLog(url, "sender")
        await log.enqueue(SENDER, OUTBOX, "name", "text", data)
        lease = (await log.acquire(SENDER, SENDER, OUTBOX)).lease
        [entry] = await log.read(OUTBOX, SENDER, NEVER, 10, 0)
        lease = await log.park(lease, entry, "Chat not found")
        await log.release(lease)
        await log.close()
        return entry.id

    return asyncio.run(work())


def test_a_text_that_was_set_aside_is_listed_and_can_be_put_in_the_outbox_once_more(day, redis_url):
    words = Text(family="f", kind="news", recipient="42", text="Hello", loud=False, tag="t", made_ts_us=0)  # fmt: skip
    entry_id = put_aside_a_text(day, redis_url, encode(words))

    _, listed = told("list")
    _, shown = told("show", "telegram", "telegram", entry_id)
    again = [told("replay", "TELEGRAM", "telegram", "--all") for _ in range(2)]

    assert "Chat not found" in listed
    assert '"text":"Hello"' in shown
    assert again == [(0, f"{entry_id}: it is in the outbox again\n"), (0, "Nothing is set aside\n")]
    assert [fields[b"d"] for _, fields in day.xrange("oi.outbox.v1:{telegram}")] == [encode(words)] * 2  # fmt: skip


def test_what_is_no_text_stays_set_aside(day, redis_url):
    entry_id = put_aside_a_text(day, redis_url, b"no JSON")

    code, words = told("replay", "telegram", "telegram", entry_id)

    assert code == 1
    assert "it still cannot be sent" in words
    assert entry_id in told("list", "telegram")[1]


def test_an_entry_that_the_log_let_go_cannot_be_handed_out_and_stays_on_the_list(day):
    _, fields = newest(day, ANALYSES)
    set_aside(day, ANALYSES, "7-0", fields, "db")

    code, words = told("replay", "NIFTY", "db", "--all")

    assert code == 1
    assert "7-0: the log does not keep it any more" in words
    assert "7-0" in told("list")[1]


def test_an_owner_s_entry_that_can_be_used_now_is_answered_in_words_only(day):
    answered, answer = newest(day, ANALYSES)
    poison = make_poison(day)
    length = day.xlen(ANALYSES)

    code, words = told("replay", "NIFTY", "analytics", poison)

    assert (code, poison) == (0, answered)
    assert "analytics can use it now and would have answered with analysis " in words
    assert answer[b"d"].decode() in words  # it met the very state that it would have met
    assert "stays on the list" in words
    assert day.xlen(ANALYSES) == length
    code = CliRunner().invoke(app, ["audit", "--json", "--no-database"])
    [nifty] = orjson.loads(code.stdout)["underlyings"]
    found = [each["what"] for each in nifty["differences"]]
    assert found == ["passed over", "stray"]  # the beat, and the advice that was on its answer


def test_an_owner_s_entry_that_still_cannot_be_used_says_why(day):
    _, fields = newest(day, TICKS)
    set_aside(day, TICKS, "7-0", fields | {b"d": b"?"}, "analytics")
    bad = fields | {b"d": b"?", b"n": str(int(fields[b"n"]) + 1).encode()}
    entry_id = day.xadd(TICKS, bad).decode()
    set_aside(day, TICKS, entry_id, bad, "analytics")

    code, words = told("replay", "NIFTY", "analytics", "--all")

    assert code == 1
    assert "7-0: the log does not keep it any more, so nothing depends on it: taken off" in words
    assert f"{entry_id}: analytics still cannot use it: not a message of kind beat" in words


def test_a_coach_s_entry_that_can_be_used_now_is_taken_off_the_list(day):
    entry_id, fields = newest(day, ANALYSES)
    set_aside(day, ANALYSES, entry_id, fields, "coach-minimal")

    code, words = told("replay", "NIFTY", "coach-minimal", entry_id)

    assert code == 0
    assert "coach-minimal can use it now and would have answered with advice " in words
    assert told("list") == (0, "Nothing is set aside\n")


def test_a_wrong_name_is_refused_with_the_right_ones(day):
    setters = "analytics, coach-minimal, coach-rich, notify-minimal, notify-rich, notify-direction, db, file, telegram"

    assert f"there are {setters}" in refused("list", "--role", "x")
    assert "there is nothing" in refused("show", "NIFTY", "db", "1-1")
    assert "say --all" in refused("replay", "NIFTY", "db")
