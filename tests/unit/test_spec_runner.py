import json

import pytest

from oimon.errors import InputError
from tests.spec import runner

CASE = {"id": "p-1", "function": "pcr_band", "inputs": {"values": [0.9]}, "expected": ["neutral"]}


def write(tmp_path, cases, **header):
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"version": 1, "cases": cases} | header), encoding="utf-8")
    return path


def test_a_case_that_agrees_passes(tmp_path, capsys):
    assert runner.main(write(tmp_path, [CASE])) == 0

    assert capsys.readouterr().out == "1 passed, 0 failed, 0 not built\n"


def test_a_difference_names_case_and_place(tmp_path, capsys):
    assert runner.main(write(tmp_path, [CASE | {"expected": ["bullish"]}])) == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("case p-1: pcr_band[0]: expected 'bullish', got")
    assert lines[1] == "0 passed, 1 failed, 0 not built"


def test_a_function_without_an_adapter_is_not_built(tmp_path, capsys):
    assert runner.main(write(tmp_path, [CASE | {"function": "tea_leaves"}])) == 0

    assert capsys.readouterr().out.endswith("1 not built\nnot built: tea_leaves\n")


def test_inputs_that_an_adapter_cannot_take_fail(tmp_path):
    report = runner.run(write(tmp_path, [CASE | {"inputs": {}}]))

    assert report.failed == 1
    assert "raised KeyError" in report.differences[0]


@pytest.mark.parametrize(
    ("tolerance", "failed"), [({"rel": 1e-9}, 1), ({"rel": 0.01}, 0)], ids=["narrow", "wide"]
)
def test_the_tolerance_is_the_header_s_unless_the_case_has_one(tmp_path, tolerance, failed):
    case = {
        "id": "e-1",
        "function": "em_window",
        "inputs": {"x": 26_052.4, "sigma": 0.118, "window_s": 900, "session_s": 23_100},
        "expected": 38.2,
    }

    assert runner.run(write(tmp_path, [case | {"tolerance": tolerance}])).failed == failed
    header = {"conventions": {"default_tolerance": tolerance}}
    assert runner.run(write(tmp_path, [case], **header)).failed == failed


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<html>", "is not JSON"),
        ("[]", "version must be 1, was None"),
        ('{"version": 2, "cases": [1]}', "version must be 1, was 2"),
        ('{"version": 1, "cases": []}', "holds no cases"),
        ('{"version": 1, "cases": [{"id": "x"}]}', "lacks"),
    ],
)
def test_a_file_that_is_no_list_of_cases_is_refused(tmp_path, text, what):
    path = tmp_path / "cases.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(InputError, match=what):
        runner.run(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        runner.run(tmp_path / "absent.json")
