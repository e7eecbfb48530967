"""Words of `oi fake-broker` that are wrong are told before anything is started."""

import pytest
import typer
from typer.testing import CliRunner

from ingest.commands import register
from ingest.fakebroker.commands import _speed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--fault", "nonsense"], "there is no fault 'nonsense'"),
        (["--fault", "slow=2"], "rate must be 0 to 1"),
        (["--speed", "0"], "--speed takes a number above 0, or max, found '0'"),
        (["--sim", "1", "--recording", "x.oirec"], "give one of them"),
        (["--recording", "x.oirec"], "cannot be read"),
    ],
)
def test_a_wrong_word_is_named(words, said):
    app = typer.Typer()
    register(app)
    found = CliRunner().invoke(app, ["fake-broker", *words])

    assert said in str(found.exception)


def test_the_bundled_day_plays_a_minute_a_second_others_as_they_were():
    assert _speed(None, is_bundled=True) == 60.0
    assert _speed(None, is_bundled=False) == 1.0
    assert _speed("max", is_bundled=False) is None
    assert _speed("2.5", is_bundled=True) == 2.5
