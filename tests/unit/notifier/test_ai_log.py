import orjson
import pytest

from notifier.ai_log import AiLog
from oimon.errors import TransientError
from oimon.terms import Action, OptionKind
from tests.unit.notifier.samples import (
    NOW_US,
    make_advice,
    make_analysis,
    make_entry,
    make_rich_advice,
)

DAY_US = 86_400_000_000


def entry(number, advice=None):
    return make_entry(advice or make_advice(), f"{number}-0")


def machine_lines(folder, day="2026-08-18"):
    return [orjson.loads(line) for line in (folder / f"ai-{day}.ndjson").read_bytes().splitlines()]


def people_heads(folder, day="2026-08-18"):
    lines = (folder / f"ai-{day}.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith(" ")]


async def test_machines_get_every_advice_with_its_id_and_mode(tmp_path):
    await AiLog(tmp_path).write([entry(1), entry(2), entry(3, make_rich_advice())])

    lines = machine_lines(tmp_path)
    assert [line["id"] for line in lines] == [
        "oi.advice-minimal.v1:NIFTY/1-0",
        "oi.advice-minimal.v1:NIFTY/2-0",
        "oi.advice-rich.v1:NIFTY/3-0",
    ]
    assert lines[0]["mode"] == "REPLAY"
    assert lines[2]["advice"]["transcript"]["answer"] == '{"action":"HOLD"}'


async def test_people_get_changes_and_every_deep_advice(tmp_path):
    entering = make_advice(action=Action.ENTER, side=OptionKind.CE)

    await AiLog(tmp_path).write(
        [
            entry(1),
            entry(2),
            entry(3, entering),
            entry(4, entering),
            entry(5, make_rich_advice()),
            entry(6, make_rich_advice()),
        ]
    )

    assert people_heads(tmp_path) == [
        "2026-08-18 12:41:07 IST REPLAY NIFTY minimal: WAIT 0.61 by rule (no key)",
        "2026-08-18 12:41:07 IST REPLAY NIFTY minimal: WAIT → ENTER CE 0.61 by rule (no key)",
        "2026-08-18 12:38:50 IST REPLAY NIFTY rich: HOLD CE 0.62 by model",
        "2026-08-18 12:38:50 IST REPLAY NIFTY rich: HOLD CE 0.62 by model",
    ]


async def test_a_repeat_is_not_written_again_even_after_a_restart(tmp_path):
    first = AiLog(tmp_path)
    await first.write([entry(1), entry(2)])
    await first.write([entry(1), entry(2)])

    again = AiLog(tmp_path)
    await again.write([entry(2), entry(3)])

    assert [line["id"].rsplit("/")[1] for line in machine_lines(tmp_path)] == ["1-0", "2-0", "3-0"]
    assert len(people_heads(tmp_path)) == 1
    assert again.lines_written == 1


async def test_an_entry_that_comes_late_from_a_dead_replica_is_not_taken_for_a_repeat(tmp_path):
    log = AiLog(tmp_path)

    await log.write([entry(5)])
    await log.write([entry(4)])

    assert [line["id"].rsplit("/")[1] for line in machine_lines(tmp_path)] == ["5-0", "4-0"]


async def test_a_line_that_a_killed_process_left_unfinished_is_written_anew(tmp_path):
    await AiLog(tmp_path).write([entry(1), entry(2)])
    path = tmp_path / "ai-2026-08-18.ndjson"
    path.write_bytes(path.read_bytes()[:-40])

    await AiLog(tmp_path).write([entry(2), entry(3)])

    assert [line["id"].rsplit("/")[1] for line in machine_lines(tmp_path)] == ["1-0", "2-0", "3-0"]


async def test_a_new_run_starts_without_a_call_before(tmp_path):
    await AiLog(tmp_path).write(
        [entry(1), entry(2, make_advice(run="r2", action=Action.HOLD, side=OptionKind.CE))]
    )

    assert people_heads(tmp_path)[1].endswith("minimal: HOLD CE 0.61 by rule (no key)")


async def test_each_day_has_its_own_files_by_the_advices_own_time(tmp_path):
    await AiLog(tmp_path).write([entry(1), entry(2, make_advice(ts_us=NOW_US + DAY_US))])

    assert len(machine_lines(tmp_path, "2026-08-18")) == 1
    assert len(machine_lines(tmp_path, "2026-08-19")) == 1


async def test_a_long_file_is_put_aside_and_repeats_are_still_known(tmp_path):
    log = AiLog(tmp_path, max_bytes=1_700)
    await log.write([entry(1)])
    await log.write([entry(2)])
    await log.write([entry(3)])

    await AiLog(tmp_path, max_bytes=1_700).write([entry(1), entry(3)])

    aside = tmp_path / "ai-2026-08-18.ndjson.1"
    put_aside = [orjson.loads(line) for line in aside.read_bytes().splitlines()]
    ids = [line["id"].rsplit("/")[1] for line in [*put_aside, *machine_lines(tmp_path)]]
    assert ids == ["1-0", "2-0", "3-0"]


async def test_at_most_five_older_files_of_a_day_are_kept(tmp_path):
    log = AiLog(tmp_path, max_bytes=1)

    for number in range(1, 10):
        await log.write([entry(number)])

    assert sorted(path.suffix for path in tmp_path.glob("*.ndjson*")) == [
        ".1", ".2", ".3", ".4", ".5", ".ndjson",
    ]  # fmt: skip


async def test_what_is_no_advice_or_cannot_be_read_leaves_no_line(tmp_path):
    broken = make_entry(make_advice(), "1-0", data=b"{")

    await AiLog(tmp_path).write([broken, make_entry(make_analysis()), entry(2)])

    assert [line["id"].rsplit("/")[1] for line in machine_lines(tmp_path)] == ["2-0"]


async def test_a_folder_that_cannot_be_written_is_a_passing_trouble(tmp_path):
    blocked = tmp_path / "logs"
    blocked.write_text("a file where the folder should be")
    log = AiLog(blocked)

    with pytest.raises(TransientError, match="the coaches' log in"):
        await log.write([entry(1)])
    blocked.unlink()
    await log.write([entry(1)])

    assert len(machine_lines(blocked)) == 1
