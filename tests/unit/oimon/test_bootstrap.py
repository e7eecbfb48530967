"""The script ``oi``: the standard library alone makes the environment and hands over."""

import ast
import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "oi"


@pytest.fixture
def oi(tmp_path, monkeypatch):
    """The script as a module, with its environment in a folder of the test's own and every command written down."""
    loader = importlib.machinery.SourceFileLoader("oi_script", str(SCRIPT))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("oi_script", loader))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    venv = tmp_path / ".venv"
    monkeypatch.setattr(module, "VENV", venv)
    monkeypatch.setattr(module, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(module, "STAMP", venv / "oi-installed")
    monkeypatch.setattr(module, "CHECKS_STAMP", venv / "oi-checks-installed")
    module.commands, module.fails = [], lambda command: False

    def run(command, **_):
        module.commands.append(command)
        if "venv" in command:
            venv.mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, int(module.fails(command)))

    monkeypatch.setattr(module.subprocess, "run", run)
    monkeypatch.setattr(
        module.os, "execv", lambda path, command: module.commands.append(["exec", *command])
    )
    monkeypatch.setattr(sys, "argv", ["oi", "up", "--for", "60"])
    return module


def test_the_script_imports_the_standard_library_only():
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    names = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {
        node.module.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
    }

    assert names <= set(sys.stdlib_module_names)


def test_the_first_start_installs_the_lock_with_hashes_and_then_our_own_packages(oi):
    oi.main()

    venv, lock, own, handed_over = oi.commands
    assert venv[1:3] == ["-m", "venv"]
    assert "--require-hashes" in lock
    assert {"--no-deps", "--no-build-isolation"} <= set(own)
    assert own.count("-e") == 7
    assert handed_over[-6:] == ["-P", "-m", "oimon", "up", "--for", "60"]


def test_the_second_start_installs_nothing(oi):
    oi.main()
    oi.commands.clear()

    oi.main()

    assert [command[0] for command in oi.commands] == ["exec"]


def test_a_changed_lock_is_installed(oi, monkeypatch):
    oi.main()
    oi.commands.clear()
    monkeypatch.setattr(oi, "wanted", lambda: "another")

    oi.main()

    assert any("--require-hashes" in command for command in oi.commands)


def locks_installed(oi):
    """The locks that pip was given, each with hashes."""
    return [
        Path(command[-1]).relative_to(oi.ROOT).as_posix()
        for command in oi.commands
        if "--require-hashes" in command
    ]


def test_a_trader_s_command_installs_nothing_of_the_checks(oi):
    oi.main()

    assert locks_installed(oi) == ["requirements.txt"]


def test_the_first_test_adds_the_checks_own_lock_once_and_says_so(oi, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["oi", "test", "lint"])

    oi.main()
    oi.main()

    assert locks_installed(oi) == ["requirements.txt", "tests/requirements.txt"]
    assert "adding the tools of the checks" in capsys.readouterr().err


def test_help_about_the_checks_does_not_install_them(oi, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["oi", "test", "--help"])

    oi.main()

    assert locks_installed(oi) == ["requirements.txt"]


@pytest.mark.parametrize(
    ("lock", "brings"), [("LOCK", ["laptop", "checks"]), ("CHECKS_LOCK", ["checks"])]
)
def test_a_changed_lock_brings_all_that_stands_on_it_up_to_it(
    oi, monkeypatch, tmp_path, lock, brings
):
    monkeypatch.setattr(oi, "ROOT", tmp_path)
    monkeypatch.setattr(oi, "own_packages", list)
    for name, file in (("LOCK", "laptop"), ("CHECKS_LOCK", "checks")):
        (tmp_path / file).write_text("as it was", encoding="utf-8")
        monkeypatch.setattr(oi, name, tmp_path / file)
    monkeypatch.setattr(sys, "argv", ["oi", "test"])
    oi.main()
    oi.commands.clear()
    getattr(oi, lock).write_text("changed", encoding="utf-8")

    oi.main()

    assert locks_installed(oi) == brings


def test_a_failed_install_is_one_sentence_and_is_tried_again_next_time(oi):
    oi.fails = lambda command: "--require-hashes" in command

    with pytest.raises(SystemExit, match="could not be installed"):
        oi.main()

    assert not oi.STAMP.exists()


def test_a_missing_venv_module_is_one_sentence(oi):
    oi.fails = lambda command: "venv" in command

    with pytest.raises(SystemExit, match="apt install python3-venv"):
        oi.main()


def test_an_old_python_is_one_sentence(oi, monkeypatch):
    monkeypatch.setattr(oi, "LEAST", (99, 0))

    with pytest.raises(SystemExit, match=r"needs Python 99\.0 or newer"):
        oi.main()
