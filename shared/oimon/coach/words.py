"""Why a rule said what it said, in a trader's words."""

from oimon.core.advice import RuleAdvice
from oimon.messages import ChainAnalysis
from oimon.terms import Action, OptionKind

WORDS = {
    "market_closed": "the market is not open",
    "stale": "the prices are stale",
    "gapped": "open interest or prices are missing from the recent window",
    "cold": "there is too little history yet",
    "oi_old": "no open interest has moved for ten minutes",
    "one_sided": "calls or puts have no open interest",
    "no_signal": "no direction is strong enough",
    "market_not_open": "the market is not in continuous trading",
    "outside_entry_window": "it is outside the hours for entries",
    "data_quality": "the chain's data is not good enough",
    "wide_spread": "the option's spread is too wide or unknown",
    "cooldown": "a pause follows the last exit",
    "daily_loss_limit": "the day's loss limit is reached",
    "max_trades": "the day's number of trades is reached",
    "no_size": "not one lot fits the risk",
    "label_opposite": "the market's direction is the opposite",
    "stopped_side": "this side was stopped today",
    "rich_contrary": "the deep coach says otherwise",
    "in_position": "the idea still holds",
    "stale_quote": "the option has no fresh quote; waiting for one",
    "stale_exit": "the option had no quote for two minutes",
    "square_off": "the day ends for positions",
    "stop_loss": "the stop was reached",
    "trailing_stop": "the trailing stop was reached",
    "target": "the target was reached",
    "invalidation": "the level that proves the idea wrong was passed",
    "reversal": "the direction turned against the position",
    "fade": "the direction faded and the option gained nothing",
    "time_stop": "the option gained less than 10 % in 45 minutes",
    "exit_unconfirmed": "the fast model said EXIT once, and was not sure enough for that to close",
    "order_open": "the order waits for a two-sided quote",
}
"""Each reason's word in a message, and what it means."""

MOST = 3


def in_words(why: str) -> str:
    """Return what a reason means; a word that a newer service added stands for itself."""
    return WORDS.get(why, why)


def rule_reasons(advice: RuleAdvice, analysis: ChainAnalysis) -> list[str]:
    """Return one to three reasons of the rule: for an entry, what speaks for it most."""
    if advice.action is not Action.ENTER:
        return [in_words(advice.why)]
    sign = 1.0 if advice.side is OptionKind.CE else -1.0
    speaking_for = [text for _, share, text in analysis.contributions if sign * share > 0]
    return speaking_for[:MOST] or [f"the market is {analysis.direction}"]
