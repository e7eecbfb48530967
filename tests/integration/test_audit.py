"""``oi audit`` on a real log and a real database: clean when nothing is wrong, and each fault provoked by hand is named."""

import asyncio
import contextlib
import sqlite3

import orjson
import pytest
import redis as redis_py
from typer.testing import CliRunner

from oimon.cli import app
from oimon.errors import ConfigError
from tests.integration.logged_day import STEPS, log_a_day

TICKS = "oi.ticks.v1:{NIFTY}"
ANALYSES = "oi.analysis.v1:{NIFTY}"
SNAPSHOT = "oi.snap:{NIFTY}:analytics"
ADVICE = "oi.advice-minimal.v1:{NIFTY}"


@pytest.fixture
def day(redis_url, tmp_path, monkeypatch):
    """A client of the server with the day in its log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setattr("oimon.audit.reading.ROWS_WITHIN_S", 0.0)
    asyncio.run(log_a_day(redis_url, tmp_path))
    with redis_py.Redis.from_url(redis_url) as client:
        yield client


def audited(*arguments: str) -> tuple[int, dict]:
    """Return the exit code, and what machines are told of the one underlying."""
    result = CliRunner().invoke(app, ["audit", "--json", *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    told = orjson.loads(result.stdout)
    assert told["clean"] is (result.exit_code == 0)
    [nifty] = told["underlyings"]
    return result.exit_code, nifty


def wrong(found: dict) -> dict[str, int]:
    return {each["what"]: each["count"] for each in found["differences"]}


def places(found: dict, what: str) -> list[str]:
    [difference] = [each for each in found["differences"] if each["what"] == what]
    return difference["places"]


def entry(client, stream: str, place: int):
    entry_id, fields = client.xrange(stream)[place]
    return entry_id.decode(), fields


def test_an_undisturbed_day_is_clean(day):
    code, found = audited("NIFTY")

    assert code == 0
    assert found["differences"] == []
    assert found["beats"] == found["analyses"] > 5
    assert found["advice"]["oi.advice-minimal.v1"] == found["analyses"]
    assert (found["pending"], found["not_recomputed"]) == (0, 0)
    assert found["longest_silence_ms"] > 0
    tellers = ("notify-minimal", "notify-rich", "notify-direction")
    setters = ("analytics", "coach-minimal", "coach-rich", *tellers, "db", "file")
    assert found["parked"] == dict.fromkeys(setters, 0)


def test_a_person_is_told_in_a_table_and_in_words(day):
    lost, _ = entry(day, ANALYSES, 3)
    day.xdel(ANALYSES, lost)

    result = CliRunner().invoke(app, ["audit"], env={"COLUMNS": "120"})

    assert result.exit_code == 1
    assert f"1 beats without an analysis: {lost}" in result.stdout
    assert "Not clean" in result.stdout


def test_a_lost_analysis_is_missing_and_its_advice_and_row_are_left_over(day):
    lost, _ = entry(day, ANALYSES, 3)
    day.xdel(ANALYSES, lost)

    code, found = audited()

    assert code == 1
    assert wrong(found) == {"missing": 1, "hole": 1, "stray": 1, "row without an entry": 1}
    assert places(found, "missing") == [lost]
    assert places(found, "stray") == [f"oi.advice-minimal.v1 {lost}"]


def test_an_analysis_with_another_number_is_unequal(day):
    newest, fields = entry(day, ANALYSES, -1)
    day.xdel(ANALYSES, newest)
    message = orjson.loads(fields[b"d"]) | {"spot": 1.0}
    rows = day.xrange(ANALYSES)
    day.delete(ANALYSES)
    for entry_id, old in [*rows, (newest.encode(), fields | {b"d": orjson.dumps(message)})]:
        day.xadd(ANALYSES, old, id=entry_id)

    code, found = audited()

    assert (code, wrong(found), places(found, "unequal")) == (1, {"unequal": 1}, [newest])


def test_a_second_analysis_of_a_second_is_a_duplicate_and_answers_nothing(day):
    newest, fields = entry(day, ANALYSES, -1)
    again = f"{int(newest.split('-')[0]) + 1}-0"
    number = int(fields[b"n"]) + 1
    day.xadd(ANALYSES, fields | {b"n": number}, id=again)

    code, found = audited("--no-database")

    assert code == 1
    assert wrong(found) == {"duplicate": 1, "stray": 1}
    assert places(found, "duplicate") == [again]


def test_an_analysis_of_an_earlier_second_is_out_of_order(day):
    newest, fields = entry(day, ANALYSES, -1)
    message = orjson.loads(fields[b"d"])
    message["ts_us"] -= 3_600_000_000
    later = f"{int(newest.split('-')[0]) + 1}-0"
    day.xadd(
        ANALYSES, fields | {b"n": int(fields[b"n"]) + 1, b"d": orjson.dumps(message)}, id=later
    )

    _, found = audited("--no-database")

    assert places(found, "out of order") == [later]


def test_advice_on_no_analysis_is_stray(day):
    newest, fields = entry(day, ADVICE, -1)
    stray = f"{int(newest.split('-')[0]) + 1}-0"
    day.xadd(ADVICE, fields | {b"n": int(fields[b"n"]) + 1}, id=stray)

    code, found = audited("--no-database")

    assert (code, wrong(found)) == (1, {"stray": 1})
    assert places(found, "stray") == [f"oi.advice-minimal.v1 {stray}"]


def test_lost_ticks_are_a_hole_and_make_other_analyses(day):
    [batch, *_] = [id_ for id_, fields in day.xrange(TICKS) if fields[b"t"] == b"ticks"]
    day.xdel(TICKS, batch)

    _, found = audited()

    assert wrong(found)["hole"] == 1
    assert wrong(found)["unequal"] > 0  # they say is_gapped, and the numbers are others


def test_a_lost_row_and_a_row_of_nothing_are_found(day, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "oimon.db")) as rows:
        ids = [id_ for (id_,) in rows.execute("SELECT id FROM advice ORDER BY id")]
        rows.execute("DELETE FROM advice WHERE id = ?", (ids[2],))
        rows.execute("UPDATE advice SET id = ? WHERE id = ?", (f"{ids[4]}9", ids[4]))
        rows.commit()

    code, found = audited()

    assert code == 1
    assert wrong(found) == {"without a row": 2, "row without an entry": 1}
    assert audited("--no-database")[0] == 0


def test_beats_that_are_not_worked_yet_are_pending_and_not_missing(
    redis_url, tmp_path, monkeypatch
):
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    asyncio.run(log_a_day(redis_url, tmp_path, roles=()))

    code, found = audited()

    assert (code, found["analyses"]) == (0, 0)
    assert found["pending"] == found["beats"] > 5


def test_where_the_run_s_start_was_trimmed_the_newest_snapshot_is_used(day, redis_url, tmp_path):
    snapshot, *_, before = day.get(SNAPSHOT), *day.xrange(TICKS)
    asyncio.run(log_a_day(redis_url, tmp_path, steps=(STEPS, STEPS + 5)))
    day.set(SNAPSHOT, snapshot)
    day.xtrim(TICKS, minid=before[0], approximate=False)

    code, found = audited()

    assert code == 0
    assert found["analyses"] - found["not_recomputed"] == found["beats"] - 1 == 5


def test_without_a_snapshot_and_the_run_s_start_nothing_is_recomputed_and_that_is_told(day):
    first, _ = entry(day, TICKS, 3)
    day.xtrim(TICKS, minid=first, approximate=False)
    day.delete(SNAPSHOT)

    code, found = audited()

    assert code == 0
    assert found["not_recomputed"] == found["analyses"]


def append(client, stream: str, like: dict, **changed) -> str:
    """Append an entry to a stream of the log, numbered as the next one; return its id."""
    last, fields = entry(client, stream, -1)
    number = int(fields[b"n"]) + 1
    changes = {name.encode(): value for name, value in changed.items()}
    entry_id = f"{int(last.split('-')[0]) + 1}-0"
    client.xadd(stream, like | {b"n": number} | changes, id=entry_id)
    return entry_id


def set_aside(client, by: str, stream: str, entry_id: str, fields: dict) -> None:
    about = {"why": "bad", "tries": 1, "s": stream.partition(":")[0]}
    client.xadd(f"oi.dead.v1:{{NIFTY}}:{by}", fields | about, id=entry_id)
    if by == "analytics":
        client.hset("oi.own:{NIFTY}:analytics", mapping={"cursor": entry_id})


def test_rubbish_that_was_set_aside_is_told_and_no_difference(day):
    _, like = entry(day, TICKS, -1)
    bad = append(day, TICKS, like, t="ticks", d=b"?")
    set_aside(day, "analytics", TICKS, bad, like)

    code, found = audited()

    assert (code, found["parked"]["analytics"]) == (0, 1)


def test_a_beat_that_was_set_aside_has_no_answer_and_that_is_a_difference(day):
    _, like = entry(day, TICKS, -1)
    beat = orjson.loads(like[b"d"])
    bad = append(day, TICKS, like, d=orjson.dumps(beat | {"ts_us": beat["ts_us"] + 1_000_000}))
    set_aside(day, "analytics", TICKS, bad, like)

    code, found = audited()
    told = CliRunner().invoke(app, ["audit"], env={"COLUMNS": "200"})

    assert (code, wrong(found)) == (1, {"passed over": 1})
    assert places(found, "passed over") == [f"oi.ticks.v1 {bad}"]
    words = " ".join(told.stdout.split())  # however wide the terminal
    assert f"because they were set aside: oi.ticks.v1 {bad}" in words
    assert "analytics has set 1 entries aside" in told.stdout


def test_an_entry_without_a_row_since_the_database_s_sink_set_it_aside_is_a_difference(
    day, tmp_path
):
    bad, like = entry(day, ADVICE, 2)
    with contextlib.closing(sqlite3.connect(tmp_path / "oimon.db")) as rows:
        rows.execute("DELETE FROM advice WHERE id = ?", (f"oi.advice-minimal.v1:NIFTY/{bad}",))
        rows.commit()
    set_aside(day, "db", ADVICE, bad, like)

    code, found = audited()

    assert (code, wrong(found)) == (1, {"passed over": 1})
    assert places(found, "passed over") == [f"oi.advice-minimal.v1 {bad}"]


def test_a_batch_of_ticks_that_was_published_again_is_a_duplicate(day):
    [batch, *_] = [fields for _, fields in day.xrange(TICKS) if fields[b"t"] == b"ticks"]
    again = append(day, TICKS, batch)

    code, found = audited()

    assert (code, wrong(found), places(found, "duplicate")) == (1, {"duplicate": 1}, [again])


def test_a_name_that_is_no_underlying_is_refused_with_those_that_are(day):
    result = CliRunner().invoke(app, ["audit", "NIFTI"])

    assert isinstance(result.exception, ConfigError)
    assert str(result.exception) == "no underlying is called NIFTI; there are NIFTY"


def test_a_log_that_cannot_be_reached_is_told_with_the_remedy(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    result = CliRunner().invoke(app, ["audit"])

    assert isinstance(result.exception, ConfigError)  # main() ends with code 2 on it
    assert "does not answer" in str(result.exception)
    assert "REDIS_URL" in str(result.exception)


def test_a_database_that_is_not_there_is_told_and_not_made(day, tmp_path):
    (tmp_path / "oimon.db").unlink()

    result = CliRunner().invoke(app, ["audit"])

    assert "--no-database" in str(result.exception)
    assert not (tmp_path / "oimon.db").exists()
