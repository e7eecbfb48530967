from notifier import render
from oimon.terms import Action, DecidedBy, Direction, OptionKind
from tests.unit.notifier.samples import (
    CONTRACT,
    make_advice,
    make_analysis,
    make_rich_advice,
    make_transcript,
)


def make_entering(**given):
    return make_advice(
        **{
            "action": Action.ENTER,
            "side": OptionKind.CE,
            "reasons": ["above 24,490 for 90s", "put writing 24500 +2.2L"],
            "invalidation": 24_470.0,
            "contract": CONTRACT,
            "by": DecidedBy.MODEL,
            "by_why": None,
            **given,
        }
    )


def test_a_coachs_card_has_time_age_mode_and_the_last_line():
    card = render.decision(make_entering(), make_advice(), make_analysis(), "7f3a")

    assert card.splitlines() == [
        "⚡ NIFTY coach: WAIT → ENTER CE   12:41:07 IST",
        "24,512.35 · above 24,490 for 90s; put writing 24500 +2.2L",
        "Against: sr position -0.02: call wall 24600 is near",
        "Idea: 24500CE ~₹186.40 · invalid beyond 24,470.00 · conf 0.61 · by model",
        "REPLAY · prices 0.3s old, OI 1m12s old",
        "decision support, not advice #7f3a",
    ]


def test_a_card_without_an_analysis_says_that_the_age_is_unknown():
    card = render.decision(make_advice(), make_entering(), None, "7f3a")

    assert "REPLAY · age of the data unknown" in card.splitlines()


def test_assumed_quotes_stand_on_the_card():
    card = render.decision(
        make_entering(quotes_assumed=0.003), make_advice(), make_analysis(), "7f3a"
    )

    assert "REPLAY · prices 0.3s old, OI 1m12s old · quotes assumed 0.3 %" in card.splitlines()


def test_a_direction_that_turned_is_told_with_its_reasons():
    text = render.turn(make_analysis(), Direction.NEUTRAL, "00ff")

    assert text.splitlines() == [
        "🧭 NIFTY: - NEUTRAL → ▲ BULLISH 62%   12:41:07 IST",
        "24,512.35 · PCR 1.18 · max pain 24450",
        "Why: net buildup +0.18: puts written at 24400 and 24500; coi balance +0.13: puts +16.5L, calls +4.6L in 15 min",
        "Against: sr position -0.02: call wall 24600 is near",
        "REPLAY · prices 0.3s old, OI 1m12s old",
        "decision support, not advice #00ff",
    ]


def test_a_text_that_is_too_long_is_cut_before_its_last_lines():
    card = render.decision(
        make_entering(reasons=["because " * 1_000]), make_advice(), make_analysis(), "7f3a"
    )

    assert len(card) == render.MAX_CHARS
    assert card.endswith(
        "…\nREPLAY · prices 0.3s old, OI 1m12s old\ndecision support, not advice #7f3a"
    )


def test_a_transcript_shows_question_answer_and_what_it_cost():
    advice = make_rich_advice(transcript=make_transcript(answer='{\n"action": "HOLD"\n}'))

    assert render.transcript(advice, "WAIT").splitlines() == [
        "2026-08-18 12:38:50 IST REPLAY NIFTY rich: WAIT → HOLD CE 0.62 by model",
        "  because  support 24400 holds",
        "  because  puts are written at 24500",
        "  trigger  oi change, 12 of 84 legs moved",
        "  invalid beyond 24,470.00",
        "  model    qwen/qwen-2.5-72b-instruct, 1850 ms, 900 + 60 tokens, $0.00031",
        '  asked    {"v":1,"u":"NIFTY"}',
        "  answered {",
        '           "action": "HOLD"',
        "           }",
    ]


def test_a_transcript_of_a_failed_call_shows_the_error_and_unknown_counts_as_dashes():
    failed = make_transcript(error="timeout after 30 s", tokens_in=None, tokens_out=None, cost_usd=None)  # fmt: skip

    lines = render.transcript(make_rich_advice(transcript=failed), None).splitlines()

    assert lines[0].endswith("rich: HOLD CE 0.62 by model")
    assert "  model    qwen/qwen-2.5-72b-instruct, 1850 ms, -- + -- tokens" in lines
    assert lines[-1] == "  answered timeout after 30 s"


def test_a_forced_decision_and_its_warnings_are_marked():
    advice = make_advice(forced=True, warnings=["model said ENTER"])

    lines = render.transcript(advice, "WAIT").splitlines()

    assert lines[0].endswith("minimal: WAIT 0.61 by rule (no key), forced")
    assert lines[-1] == "  warning  model said ENTER"


def test_what_is_told_as_the_reason_is_not_told_again_as_the_contrary():
    contributions = [("coi_balance", -0.2, "calls written"), ("net_buildup", 0.1, "puts written")]
    standing = make_analysis(  # the score has turned, the label not yet
        direction=Direction.BULLISH,
        score=-0.1,
        contributions=contributions,
        against=contributions[:1],
    )

    lines = render.turn(standing, Direction.NEUTRAL, "00ff").splitlines()

    assert lines[2:4] == [
        "Why: net buildup +0.10: puts written",
        "Against: coi balance -0.20: calls written",
    ]
