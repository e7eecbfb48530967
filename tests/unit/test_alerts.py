"""The alert rules: what they name exists, what they say is explained, and Prometheus' own tool finds them right."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import documents

FOLDER = documents.ROOT / "deploy" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
CASES = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", RULES)
OPERATIONS = (documents.ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on PATH"
)


def promtool(*arguments: str) -> str:
    """Return what promtool said, after its exit code."""
    done = subprocess.run(
        ["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    return f"{done.returncode} {done.stdout}{done.stderr}"


def test_there_is_an_alert_for_each_thing_that_the_contract_names():
    asked = {
        "oi_beat_due_seconds", "oi_bus_hole_entries_total", "oi_bus_rollback_total", "oi_bus_parked_total",
        "oi_bus_owner_epoch", "oi_telegram_total", "oi_model_budget_ratio", "oi_clock_offset_seconds",
    }  # fmt: skip

    assert set(re.findall(r"\boi_\w+", RULES)) == asked


def test_every_metric_of_a_rule_or_its_test_is_one_that_we_have():
    known = set(re.findall(r"`(oi_\w+)`", documents.metrics_md()))

    used = set(re.findall(r"\boi_\w+", RULES + CASES))

    assert used <= known


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_explained_where_it_says(alert):
    rule = RULES.partition(f"- alert: {alert}\n")[2].partition("- alert:")[0]
    _, heading, text = OPERATIONS.partition(f"\n### {alert}\n")

    assert f"runbook: docs/operations.md#{alert.lower()}\n" in rule
    assert heading
    assert len(text.partition("\n#")[0].strip()) > 100


def test_no_alert_is_explained_that_is_not_there():
    chapter = OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0]

    assert re.findall(r"^### (\w+)", chapter, re.MULTILINE) == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_to_fire_and_to_keep_quiet(alert):
    expected = re.findall(rf"alertname: {alert}(?:\n\s+exp_alerts:|, exp_alerts:)(.*)", CASES)

    assert " []}" in expected
    assert "" in expected


def test_prometheus_reads_the_rules():
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")

    assert "rule_files: [alerts.yml]" in text


@needs_promtool
def test_promtool_accepts_configuration_and_rules():
    assert promtool("check", "config", "prometheus.yml").startswith("0 ")


@needs_promtool
def test_each_alert_fires_when_it_should_and_only_then():
    assert promtool("test", "rules", "alerts_test.yml").startswith("0 ")


@needs_promtool
def test_the_rules_tests_notice_a_rule_that_never_fires(tmp_path: Path):
    for name in ("alerts.yml", "alerts_test.yml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("> 0.8", "> 8"), encoding="utf-8")

    said = promtool("test", "rules", str(tmp_path / "alerts_test.yml"))

    assert said.startswith("1 ")
    assert "ModelBudget" in said
