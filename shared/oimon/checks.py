"""``oi test`` and ``oi spec``: the checks of a checkout, run as CI runs them."""

import subprocess
import sys
from pathlib import Path

from oimon.errors import ConfigError

PACKAGES = ("oimon", "ingest", "analytics", "coach_minimal", "coach_rich", "notifier", "dashboard")
PYTEST = ("-m", "pytest", "-rs")
AT_ONCE = ("-n", "auto", "--maxprocesses", "4", "--dist", "worksteal")
"""A process a core: tests with servers mostly wait."""
TWO_FILES = ("-n", "2", "--dist", "loadfile")
"""Whole systems measure time: those of one file run one after the other, and no more than two files at a time."""
PARTS: dict[str, list[tuple[str, ...]]] = {
    "lint": [
        ("-m", "ruff", "check", "."),
        ("-m", "ruff", "format", "--check", "."),
        ("-m", "mypy", *(word for package in PACKAGES for word in ("-p", package))),
        ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"),
    ],
    "unit": [(*PYTEST, *AT_ONCE, "tests/unit")],
    "integration": [(*PYTEST, *AT_ONCE, "tests/integration")],
    "e2e": [(*PYTEST, *TWO_FILES, "tests/e2e")],
}


def checkout() -> Path:
    """Return the folder of the checkout that this package is installed from.

    Raises:
        ConfigError: it is installed without one.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / "tests").is_dir():
        raise ConfigError(
            "this command needs a checkout of the repository: its tests/ folder is not here"
        )
    return root


def test(part: str | None) -> int:
    """Run one part of the checks, or all; return the exit code of the first that failed, else 0.

    Raises:
        ConfigError: no such part, or no checkout.
    """
    if part is not None and part not in PARTS:
        raise ConfigError(f"there is no part {part!r}; there are {', '.join(PARTS)}")
    root, worst = checkout(), 0
    for name, commands in PARTS.items():
        if part not in {None, name}:
            continue
        for command in commands:
            print(f"== {name}: {' '.join(command[1:])}", flush=True)  # noqa: T201 - the command's own output
            code = subprocess.run([sys.executable, *command], cwd=root, check=False).returncode  # noqa: S603 - our own list
            worst = worst or code
    return worst


def spec(file: Path) -> int:
    """Run a file of worked cases; return 1 if any failed."""
    root = checkout()
    command = [sys.executable, "-m", "tests.spec", str(file.resolve())]
    return subprocess.run(command, cwd=root, check=False).returncode  # noqa: S603 - our own module
