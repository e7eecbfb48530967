"""What is told, as text (pure). Source: screens, section 3; ruling 10.

Every text for a person far away has the time, the data's age, the mode, and the same last line.
"""

from oimon import figures
from oimon.explain.direction import supporting
from oimon.figures import age, clock_time, grouped
from oimon.messages import Advice, ChainAnalysis, Contribution, Trigger
from oimon.terms import Action, Coach, Direction

FOOTER = "decision support, not advice"
MAX_CHARS = 4_000
"""Telegram takes 4,096."""

_COACHES = {Coach.MINIMAL: "coach", Coach.RICH: "deep coach"}
_MARKS = {Direction.BULLISH: "▲", Direction.BEARISH: "▼", Direction.NEUTRAL: "-"}


def decision(advice: Advice, was: Advice, analysis: ChainAnalysis | None, tag: str) -> str:
    """Return the card of a coach that changed its mind.

    Args:
        advice: what it says now.
        was: what it said before.
        analysis: the newest one, for the data's age; ``None`` when there is none yet.
        tag: short name of this text, the same when it has to be sent again.
    """
    lines = [
        (
            f"⚡ {advice.underlying} {_COACHES[advice.coach]}: {call(was)} → {call(advice)}"
            f"   {clock_time(advice.ts_us)} IST"
        ),
        f"{grouped(advice.x)} · {'; '.join(advice.reasons[:2]) or 'no reason given'}",
    ]
    if analysis is not None:
        lines += _against(analysis)
    lines.append(_idea(advice))
    return _finished(lines, _age_line(advice, analysis), tag)


def turn(analysis: ChainAnalysis, was: Direction, tag: str) -> str:
    """Return the text of a direction that changed.

    Args:
        analysis: the first one with the new direction.
        was: the direction before.
        tag: short name of this text.
    """
    why = "; ".join(evidence(item) for item in supporting(analysis)[:2]) or "no reason given"
    lines = [
        (
            f"🧭 {analysis.underlying}: {_MARKS[was]} {was} → {_MARKS[analysis.direction]} "
            f"{analysis.direction} {figures.percent(analysis.confidence_factor)}"
            f"   {clock_time(analysis.ts_us)} IST"
        ),
        (
            f"{grouped(analysis.x)} · PCR {figures.decimal(analysis.pcr)}"
            f" · max pain {figures.plain(analysis.max_pain)}"
        ),
        f"Why: {why}",
    ]
    lines += _against(analysis)
    return _finished(lines, _age_line(analysis, analysis), tag)


def _against(analysis: ChainAnalysis) -> list[str]:
    """Return a line of the strongest evidence against the direction, where there is any."""
    return [f"Against: {evidence(item)}" for item in analysis.against[:1]]


def transcript(advice: Advice, was: str | None) -> str:
    """Return a coach's advice for the log that people read, with the model's question and answer.

    Args:
        advice: what it says now.
        was: its call before (``WAIT``, ``HOLD CE``); ``None`` when it is the first of its run.
    """
    now = call(advice)
    change = now if was in (None, now) else f"{was} → {now}"
    forced = ", forced" if advice.forced else ""
    lines = [
        (
            f"{figures.date_time(advice.ts_us)} IST {advice.mode} {advice.underlying} {advice.coach}: "
            f"{change} {advice.confidence:.2f} {_decider(advice)}{forced}"
        )
    ]
    lines += [f"  because  {reason}" for reason in advice.reasons]
    lines += [f"  warning  {warning}" for warning in advice.warnings]
    if advice.trigger is not None:
        lines.append(f"  trigger  {trigger(advice.trigger)}")
    if advice.invalidation is not None:
        lines.append(f"  invalid beyond {grouped(advice.invalidation)}")
    told = advice.transcript
    if told is not None:
        cost = "" if told.cost_usd is None else f", ${told.cost_usd:.5f}"
        tokens = f"{_count(told.tokens_in)} + {_count(told.tokens_out)} tokens"
        lines.append(f"  model    {told.model}, {told.latency_ms} ms, {tokens}{cost}")
        lines += _indented("asked", told.prompt)
        lines += _indented("answered", told.answer if told.error is None else told.error)
    return "\n".join(lines) + "\n"


def call(advice: Advice) -> str:
    """Return what a coach says: ENTER CE, WAIT."""
    return advice.action if advice.side is None else f"{advice.action} {advice.side}"


def trigger(why: Trigger) -> str:
    """Return why the deep coach spoke: oi change, 12 of 84 legs moved."""
    return f"{why.reason.replace('_', ' ')}, {why.moved} of {why.eligible} legs moved"


def evidence(item: Contribution) -> str:
    """Return one component's part in the score: its name, its share, and its raw value in words.

    The analysis' own line (``coi_balance +0.80 → +0.126: puts written 16,48,400``) gives way to
    ``coi balance +0.13: puts written 16,48,400``. Source: specification 6.1.
    """
    name, share, line = item
    return f"{name.replace('_', ' ')} {figures.signed(share)}: {line.split(': ', 1)[-1]}"


def _idea(advice: Advice) -> str:
    parts = []
    if advice.contract is not None and advice.action is Action.ENTER:
        strikes = "/".join(figures.plain(strike) for strike in advice.contract.strikes)
        parts.append(f"Idea: {strikes}{advice.contract.side} ~₹{grouped(advice.contract.price)}")
    if advice.invalidation is not None:
        parts.append(f"invalid beyond {grouped(advice.invalidation)}")
    return " · ".join([*parts, f"conf {advice.confidence:.2f}", _decider(advice)])


def _decider(advice: Advice) -> str:
    why = "" if advice.by_why is None else f" ({advice.by_why.replace('_', ' ')})"
    return f"by {advice.by}{why}"


def _age_line(about: Advice | ChainAnalysis, analysis: ChainAnalysis | None) -> str:
    if analysis is None:
        return f"{about.mode} · age of the data unknown"
    tick_s = None if analysis.tick_age_ms is None else analysis.tick_age_ms / 1e3
    line = f"{about.mode} · prices {age(tick_s)} old, OI {age(analysis.oi_age_s)} old"
    if about.quotes_assumed is not None:
        line += f" · quotes assumed {about.quotes_assumed * 100:g} %"
    return line


def _finished(lines: list[str], age_line: str, tag: str) -> str:
    end = f"\n{age_line}\n{FOOTER} #{tag}"
    text = "\n".join(lines)
    room = MAX_CHARS - len(end)
    return (text if len(text) <= room else f"{text[: room - 1]}…") + end


def _count(tokens: int | None) -> str:
    return figures.UNKNOWN if tokens is None else str(tokens)


def _indented(name: str, text: str) -> list[str]:
    first, *rest = text.splitlines() or [""]
    return [f"  {name:8s} {first}", *(f"           {line}" for line in rest)]
