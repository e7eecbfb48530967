"""What ``oi up`` makes of questions, flags and environment, before anything is started."""

import json
import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from typer.testing import CliRunner

from ingest.recordings import BUNDLED
from oimon import cli, offline, questions, up, up_command
from oimon.broker_keys import BROKER_KEYS, has_broker_keys
from oimon.config import Settings, load, run_file
from oimon.errors import ConfigError, InputError
from oimon.health import ask
from oimon.terms import Segment

NAMES = ("FEED", "FEED_SEGMENT", "MCX_NAME", *BROKER_KEYS)


@pytest.fixture
def chosen(monkeypatch, tmp_path):
    """Run ``oi up`` up to its choice: ``chosen(["--speed", "10"], typed="2\\n1\\n\\n")``; typed: on a terminal."""
    monkeypatch.chdir(tmp_path)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    choices = []
    monkeypatch.setattr(up_command, "bring_up", lambda choice, say: choices.append(choice))

    def run(arguments=(), typed=None):
        monkeypatch.setattr(questions, "_asks", lambda: typed is not None)
        done = CliRunner().invoke(cli.app, ["up", *arguments], input=typed)
        assert done.exit_code == 0, done.output
        return choices[-1], done.output

    return run


def test_enter_takes_the_default_of_every_question(chosen):
    choice, asked = chosen(typed="\n\n")

    assert (choice.segment, choice.commodity, choice.feed) == (Segment.NFO, None, "replay")
    assert "1 NFO  2 MCX  3 NSE  4 BFO" in asked


def test_the_menu_s_numbers_are_those_of_the_description(chosen):
    choice, _ = chosen(typed="2\n1\n\n")

    assert (choice.segment, choice.commodity) == (Segment.MCX, "SILVERMIC")


@pytest.mark.parametrize(
    ("typed", "segment"), [("3", Segment.NSE), ("4", Segment.BFO), ("bfo", Segment.BFO)]
)
def test_a_segment_is_chosen_by_number_or_name(chosen, typed, segment):
    choice, _ = chosen(typed=f"{typed}\n\n")

    assert choice.segment is segment


def test_a_commodity_may_be_named(chosen):
    choice, _ = chosen(typed="2\ncrudeoil\n\n")

    assert choice.commodity == "CRUDEOIL"


def test_a_wrong_answer_falls_back_and_says_so(chosen):
    choice, said = chosen(typed="9\n\n")

    assert choice.segment is Segment.NFO
    assert "'9' is not one of 1, 2, 3, 4; taking the default, NFO" in said


def test_without_a_terminal_nothing_is_asked(chosen):
    choice, said = chosen()

    assert (choice.segment, choice.feed) == (Segment.NFO, "replay")
    assert "Segment:" not in said


def test_the_environment_replaces_the_questions(chosen, monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "MCX")
    monkeypatch.setenv("MCX_NAME", "COPPER")
    monkeypatch.setenv("FEED", "replay")

    choice, asked = chosen(typed="")

    assert (choice.segment, choice.commodity) == (Segment.MCX, "COPPER")
    assert "Segment:" not in asked


def test_a_recording_is_played_whatever_else_there_would_be(chosen, monkeypatch):
    monkeypatch.setenv("FEED", "live")

    choice, _ = chosen(["--recording", str(BUNDLED)])

    assert (choice.feed, choice.recording) == ("replay", BUNDLED)


@pytest.mark.parametrize("other", [["--live"], ["--feed", "sim"]])
def test_a_recording_and_another_feed_are_one_too_many(other, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    done = CliRunner().invoke(cli.app, ["up", "--recording", "day.oirec", *other])

    assert isinstance(done.exception, ConfigError)
    assert "leave out one of the two" in str(done.exception)


@pytest.fixture
def account(chosen, monkeypatch):
    """Keys of a broker's account, as far as anybody looks before the login."""
    for name in BROKER_KEYS:
        monkeypatch.setenv(name, "1")


@pytest.mark.parametrize("line", ["{}=1", "export {}='1'", " {}  = 1"])
def test_keys_are_found_in_an_env_file_as_settings_are(chosen, tmp_path, line):
    lines = [line.format(name) for name in BROKER_KEYS[:-1]]
    (tmp_path / ".env").write_text("\n".join([*lines, f"{BROKER_KEYS[-1]}=''"]))
    assert not has_broker_keys()

    (tmp_path / ".env").write_text("\n".join([*lines, line.format(BROKER_KEYS[-1].lower())]))
    assert has_broker_keys()


def test_feed_and_segment_are_taken_from_an_env_file_as_settings_are(chosen, tmp_path):
    (tmp_path / ".env").write_text("FEED=sim\nfeed_segment = MCX  # commodities\nMCX_NAME=GOLDM\n")

    choice, _ = chosen()

    assert (choice.feed, choice.segment, choice.commodity) == ("sim", Segment.MCX, "GOLDM")


@pytest.mark.parametrize("words", [["--live"], ["--feed", "live"]])
def test_a_live_feed_without_keys_is_refused_before_anything_is_asked(chosen, words):
    done = CliRunner().invoke(cli.app, ["up", *words], input="")

    assert "the live feed needs SMARTAPI_API_KEY, " in str(done.exception)
    assert not done.output


def test_flags_win_over_the_environment(chosen, monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "MCX")

    choice, _ = chosen(
        ["--segment", "bfo", "--recorded", "--speed", "10", "--for", "60", "--no-table"]
    )

    assert (choice.segment, choice.speed, choice.for_s, choice.table) == (
        Segment.BFO,
        "10",
        60.0,
        False,
    )


def test_the_live_feed_is_chosen_by_flag_or_by_name(chosen, account):
    by_flag, _ = chosen(["--live"])
    by_name, _ = chosen(["--feed", "live"])

    assert by_flag.feed == by_name.feed == "live"


def test_a_simulated_day_is_chosen_by_flag_or_by_number(chosen):
    flags = ["--feed", "sim", "--seed", "7", "--universe", "index", "--fault", "halt=1"]
    by_flag, _ = chosen([*flags, "--fault", "zero_oi=0.01"])
    by_number, _ = chosen(typed="\n3\n")

    assert by_flag.feed == by_number.feed == "sim"
    assert by_flag.simulator == {
        "SIM_SEED": "7",
        "SIM_UNIVERSE": "index",
        "SIM_FAULTS": "halt=1,zero_oi=0.01",
    }
    assert by_number.simulator == {}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--seed", "7"], "the feed is replay; add --feed sim"),
        (["--feed", "tape"], "--feed takes one of replay, sim, live, found 'tape'"),
    ],
)
def test_a_flag_that_does_not_fit_the_feed_is_one_message(monkeypatch, tmp_path, arguments, what):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEED", raising=False)

    done = CliRunner().invoke(cli.app, ["up", *arguments])

    assert what in str(done.exception)


@pytest.mark.parametrize("words", [["replay", "day.oirec"], ["up"], ["up", "--feed", "sim"]])
@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", "inf", ""])
def test_a_speed_that_is_none_is_one_message(words, text, monkeypatch):
    monkeypatch.setattr(up_command, "bring_up", lambda choice, say: None)
    done = CliRunner().invoke(cli.app, [*words, "--speed", text])

    assert done.exit_code != 0
    assert "--speed takes a number above 0, or max" in str(done.exception)


@pytest.fixture
def keys(chosen, account):
    """Run ``oi up`` on a terminal on which keys are pressed: ``keys("2\\r1\\r", "--feed", "live")``."""

    def press(pressed, *arguments):
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(pressed)
            return chosen(arguments, typed="")

    return press


DOWN, ENTER = "\x1b[B", "\r"


@pytest.mark.parametrize(
    ("pressed", "segment", "commodity"),
    [
        (ENTER, Segment.NFO, None),
        (f"2{ENTER}1{ENTER}", Segment.MCX, "SILVERMIC"),
        (f"2{ENTER}{DOWN}{DOWN}{ENTER}", Segment.MCX, "COPPER"),
        (f"{DOWN}{DOWN}{ENTER}", Segment.NSE, None),
        (f"4{ENTER}", Segment.BFO, None),
    ],
)
def test_live_asks_with_lists_by_number_or_arrow(keys, pressed, segment, commodity):
    choice, _ = keys(pressed, "--feed", "live")

    assert (choice.segment, choice.commodity) == (segment, commodity)


def test_live_asks_nothing_that_the_environment_says(keys, monkeypatch):
    monkeypatch.setenv("FEED_SEGMENT", "MCX")
    monkeypatch.setenv("MCX_NAME", "COPPER,ZINC")

    choice, _ = keys("", "--live")

    assert (choice.segment, choice.commodity) == (Segment.MCX, "COPPER,ZINC")


def test_live_without_a_terminal_asks_nothing(chosen, account):
    choice, _ = chosen(["--feed", "live"])

    assert (choice.segment, choice.commodity) == (Segment.NFO, None)


def test_what_is_said_is_printed_as_it_stands(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["oi", "replay", "day:100:.oirec"])

    with pytest.raises(SystemExit):
        cli.main()

    assert "day:100:.oirec: the file: cannot be read" in capsys.readouterr().err


def test_what_another_user_does_not_let_one_see_is_one_sentence(capsys, monkeypatch):
    def look(_):
        raise PermissionError(13, "Permission denied", "locked/day.csv")

    monkeypatch.setattr(offline, "open_recording", look)
    monkeypatch.setattr("sys.argv", ["oi", "replay", "locked/day.csv"])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("locked/day.csv: Permission denied. Name another")


@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_what_is_no_port_has_no_health(port):
    done = CliRunner().invoke(cli.app, ["health", "ingest", "--port", port])

    assert done.exit_code == 2
    assert "--port" in done.output


def test_another_service_at_the_port_does_not_answer_for_the_one_that_was_asked():
    ready = {"service": "coach-rich", "ready": True, "reasons": []}

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(ready).encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        own, other = (ask(name, port) for name in ("coach-rich", "notifier"))
        server.shutdown()
    gone, words = ask("notifier", port)

    assert own == (True, "ready")
    assert not other[0]
    assert other[1].startswith(f"at 127.0.0.1:{port} is coach-rich, not notifier; if it runs")
    assert not gone
    assert "no answer" in words
    assert "--port" in words


@pytest.mark.parametrize(
    ("speed", "kept_s"), [("1", 2700), ("0.5", 2700), ("2", 1350), ("10", 300), ("max", 2700)]
)
def test_of_a_faster_day_as_much_is_kept_as_of_a_live_one(speed, kept_s):
    assert up.ticks_kept_s(speed, 2700) == kept_s


def test_what_is_no_recording_is_told_before_anything_is_started(tmp_path):
    table = tmp_path / "day.csv"
    table.write_text("ts,underlying\n")

    for path in (table, tmp_path / "none.oirec"):
        done = CliRunner().invoke(cli.app, ["up", "--no-table", "--recording", str(path)])
        assert isinstance(done.exception, InputError)


def test_a_folder_is_held_by_one_run_and_by_no_file_that_a_run_left(tmp_path):
    settings = load(Settings, {"data_dir": tmp_path})
    run_file(settings).write_text('{"pid": 1}')  # a process that lives, and is not ours

    with up._alone(settings):
        assert json.loads(run_file(settings).read_text()) == {"pid": os.getpid()}
        with pytest.raises(ConfigError, match="OI Monitor already runs in"), up._alone(settings):
            pass

    assert not run_file(settings).exists()
    with up._alone(settings):
        assert run_file(settings).exists()
