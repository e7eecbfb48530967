"""What a document lists, compared with the code."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from typer.main import get_command

from oimon import cli
from oimon.terms import SERVICES
from tests import documents, locks

ROOT = documents.ROOT


@pytest.mark.parametrize("path", sorted(documents.documents()), ids=lambda path: path.name)
def test_a_made_document_is_up_to_date(path):
    assert path.read_bytes() == documents.documents()[path], "run python -m tests.documents"


def test_the_readme_s_commands_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    known = set(get_command(cli.app).commands)  # type: ignore[attr-defined]
    named = set(re.findall(r"`(?:\./)?oi ([a-z-]+)", text))

    assert {"up", "test"} <= named
    assert named <= known | {"watch", "why", "import", "analyse"}


def test_every_file_that_the_documents_name_is_there():
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} names {target}"


def test_every_module_that_the_architecture_names_is_there():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    folders = [ROOT / name for name in ("shared", "services", "tests")]
    there = [path.as_posix() for folder in folders for path in folder.rglob("*.py")]

    named = set(re.findall(r"`([\w/-]+\.py)`", text))

    assert len(named) > 20
    assert [name for name in sorted(named) if not any(p.endswith(f"/{name}") for p in there)] == []


def test_compose_passes_every_setting_that_is_not_given_by_the_image():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    settings = set(re.findall(r"^#([A-Z_0-9]+)=", documents.env_example(), re.MULTILINE))
    given = {
        "HTTP_PORT",
        "HTTP_HOST",
        "DATA_DIR",
        "LOG_FILE",
        "DATABASE_URL",
        "REDIS_URL",
    }  # by the image or the file itself
    not_needed = {name for name in settings if name.startswith("TELEGRAM_BASE")}

    missing = {name for name in settings - given - not_needed if f"${{{name}:-" not in text}

    assert not missing


def test_compose_passes_nothing_that_no_service_knows():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    settings = set(re.findall(r"^#([A-Z_0-9]+)=", documents.env_example(), re.MULTILINE))
    of_images = {
        "REDIS_IMAGE",
        "POSTGRES_IMAGE",
        "PROMETHEUS_IMAGE",
        "GRAFANA_IMAGE",
        "POSTGRES_PASSWORD",
        "GRAFANA_PASSWORD",
    }

    named = set(re.findall(r"\$\{([A-Z_]+):-", text))
    of_redis = {name for name in named if re.fullmatch("REDIS_[A-Z_]+_PASSWORD", name)}

    assert {
        name for name in named - settings - of_images - of_redis if not name.startswith("SMARTAPI_")
    } == set()


def test_what_only_compose_reads_stands_in_the_operator_s_page():
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    settings = set(re.findall(r"^#([A-Z_0-9]+)=", documents.env_example(), re.MULTILINE))

    of_compose = set(re.findall(r"\$\{([A-Z_]+):-", text)) - settings

    assert of_compose
    assert [name for name in sorted(of_compose) if f"`{name}`" not in page] == []


def test_every_metric_on_the_board_is_one_that_we_have():
    board = (ROOT / "deploy" / "grafana" / "dashboards" / "oimon.json").read_text(encoding="utf-8")
    known = set(re.findall(r"`(oi_\w+)`", documents.metrics_md()))

    used = {
        re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(oi_[a-z_]+)", board)
    }

    assert used <= known


def test_a_service_declares_what_it_imports_and_its_lock_holds_it():
    for folder in locks.folders():
        pinned = set(
            re.findall(
                r"^([\w.-]+)==",
                (folder / "requirements.txt").read_text(encoding="utf-8"),
                re.MULTILINE,
            )
        )
        for need in locks.declared(folder):
            name = re.split(r"[\s\[<>=;]", need, maxsplit=1)[0]
            assert name in pinned, f"{folder.name} needs {name}: run python -m tests.locks"


def imported(folder: Path) -> set[str]:
    """Return the distributions that a package's modules import from outside."""
    own = {"oimon", "ingest", "analytics", "coach_minimal", "coach_rich", "notifier", "dashboard"}
    roots = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                roots |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                roots.add(node.module.split(".")[0])
    found = packages_distributions()
    outside = {root for root in roots if root not in sys.stdlib_module_names | own}
    return {found[root][0].lower().replace("_", "-") for root in outside}


def test_what_a_service_imports_from_outside_it_declares_itself():
    for folder in locks.folders():
        package = folder / folder.name.replace("-", "_")
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        declared = {
            re.split(r"[\s\[<>=;]", need, maxsplit=1)[0].lower() for need in project["dependencies"]
        }

        assert imported(package) <= declared, folder.name


def test_what_oimon_imports_from_outside_it_declares():
    project = tomllib.loads((ROOT / "shared" / "pyproject.toml").read_text(encoding="utf-8"))[
        "project"
    ]
    needs = [
        *project["dependencies"],
        *(n for extra in project["optional-dependencies"].values() for n in extra),
    ]
    declared = {re.split(r"[\s\[<>=;]", need, maxsplit=1)[0].lower() for need in needs}

    assert imported(ROOT / "shared" / "oimon") <= declared


def test_an_image_gets_no_package_that_its_service_does_not_need():
    def pinned(service):
        text = (ROOT / "services" / service / "requirements.txt").read_text(encoding="utf-8")
        return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))

    assert not pinned("ingest") & {"matplotlib", "sqlalchemy", "openai", "python-telegram-bot"}
    assert not pinned("notifier") & {"smartapi-python", "openai", "pyotp"}
    assert not pinned("analytics") & {"openai", "sqlalchemy", "smartapi-python"}


def test_locks_agree_with_the_laptop_s_and_hold_no_address():
    laptop = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    ours = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", laptop, re.MULTILINE))

    more = [ROOT / "tests" / "requirements.txt", ROOT / "requirements-fast.txt"]
    for lock in [*(folder / "requirements.txt" for folder in locks.folders()), *more]:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
            assert name in ours or lock in more  # which have packages of their own
            assert name not in ours or f"{name}=={version}" in laptop
    assert "://" not in laptop


def test_a_laptop_gets_no_package_that_only_the_checks_need():
    laptop = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==", laptop, re.MULTILINE))

    assert not pinned & {"pytest", "mypy", "ruff", "hypothesis", "quantlib", "pandas", "scipy"}
    assert not pinned & {"vollib", "numba", "exchange-calendars", "pandas-market-calendars"}


def test_every_service_s_folder_is_its_name_and_its_package_the_same_with_underscores():
    for folder in locks.folders():
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["name"] == f"oimon-{folder.name}"
        assert project["entry-points"]["oimon.services"] == {
            folder.name: f"{folder.name.replace('-', '_')}.main:service"
        }
        assert (folder / folder.name.replace("-", "_") / "__init__.py").is_file()
    assert {folder.name for folder in locks.folders()} == set(SERVICES)
