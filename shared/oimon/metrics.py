"""Every metric, defined once, with its unit. Source: bus contract, section 16."""

from prometheus_client import Counter, Gauge, Histogram

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

TICKS = Counter("oi_ticks_total", "Ticks published", ["partition"])
FRAMES_DROPPED = Counter(
    "oi_frames_dropped_total", "Frames that were not ticks of this session", ["why"]
)
TICKS_DROPPED = Counter(
    "oi_ticks_dropped_total", "Ticks older than what the book has, or beyond its limits", ["why"]
)
TICKS_CONFLATED = Counter(
    "oi_ticks_conflated_total", "Ticks overwritten by newer ones before they were published"
)
TICK_AGE = Histogram(
    "oi_tick_age_seconds", "Age of the newest tick at each stage", ["stage"], buckets=_FAST
)
BROKER_LOGINS = Counter(
    "oi_broker_logins_total", "Logins and renewals tried with the broker", ["step", "outcome"]
)
BROKER_REQUESTS = Counter(
    "oi_broker_requests_total", "Requests to the broker for data", ["endpoint", "outcome"]
)
BROKER_CHECKS = Counter(
    "oi_broker_checks_total",
    "Values compared with the broker's own: oi, iv, delta, pcr; equal, newer, differs, missing",
    ["what", "outcome"],
)
BEATS = Counter("oi_beats_total", "Beats published", ["partition"])
BEAT_DUE = Gauge(
    "oi_beat_due_seconds",
    "When the next beat should come at the latest, in seconds since the epoch; +Inf when none is to come",
    ["partition"],
)
FEED_AGE = Gauge("oi_feed_age_seconds", "Time since the feed's last market data", ["partition"])
FEED_RECONNECTS = Counter(
    "oi_feed_reconnects_total",
    "Connections to the broker's stream that ended or did not come about",
)
FEED_REFUSALS = Counter("oi_feed_refusals_total", "Subscriptions that the broker refused", ["code"])
RECORDED_BYTES = Counter("oi_recorded_bytes_total", "Bytes written of live recordings")
RECORDING_LOST = Counter(
    "oi_recording_lost_frames_total",
    "Frames that were published and not recorded, since the disk was full or too slow",
)
ANALYSES = Counter("oi_analyses_total", "Analyses made", ["partition"])
ANALYSIS_SECONDS = Histogram("oi_analysis_seconds", "Time to make one analysis", buckets=_FAST)
ANALYSIS_AGE = Gauge(
    "oi_analysis_age_seconds", "Age of the newest analysis when a coach read it", ["partition"]
)
ADVICE = Counter("oi_advice_total", "Advice given", ["coach", "by"])
ADVICE_SKIPPED = Counter(
    "oi_advice_skipped_total", "Analyses passed over for a newer one", ["coach"]
)
MODEL_CALLS = Counter("oi_model_calls_total", "Questions to a model", ["coach", "outcome"])
MODEL_SECONDS = Histogram(
    "oi_model_seconds",
    "Time a model took to answer",
    ["coach"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
MODEL_COST = Counter(
    "oi_model_cost_usd_total", "Cost of the answers, as billed or by list price", ["coach"]
)
BUDGET_USED = Gauge(
    "oi_model_budget_ratio", "Share of the day's budget for models that is used", ["coach"]
)
ROWS = Counter("oi_rows_total", "Rows written to the database; a repeat writes none", ["stream"])
TELEGRAM = Counter(
    "oi_telegram_total", "Texts by outcome; retried: calls that were made again", ["outcome"]
)
COMMIT_SECONDS = Histogram("oi_bus_commit_seconds", "Time of one commit", buckets=_FAST)
DUPLICATES = Counter("oi_bus_duplicate_refused_total", "Entries refused because their id was there")
DIVERGED = Counter("oi_bus_diverged_total", "Commits refused because log and memory disagreed")
FENCED = Counter(
    "oi_bus_fenced_total",
    "Writes and renewals refused because another replica owns the partition, or has had it since",
)
ROLLBACKS = Counter(
    "oi_bus_rollback_total", "Times the log turned out to be older than a reader knew it"
)
HOLES = Counter("oi_bus_hole_entries_total", "Entries that were trimmed before they were read")
PARKED = Counter("oi_bus_parked_total", "Entries set aside because they cannot be used", ["why"])
REDIS_ERRORS = Counter("oi_bus_redis_errors_total", "Errors of the connection to Redis", ["kind"])
SNAPSHOTS = Counter(
    "oi_bus_snapshots_total", "State snapshots: written, used, refused", ["outcome"]
)
TAKEOVERS = Counter("oi_bus_takeover_total", "Partitions taken over: free, expired", ["how"])
TAKEOVER_SECONDS = Histogram(
    "oi_bus_takeover_seconds",
    "Time from taking a partition over until it is restored and worked",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 10, 30),
)
OWNED = Gauge("oi_bus_owned_partitions", "Partitions owned by this replica", ["role"])
OWNER_EPOCH = Gauge(
    "oi_bus_owner_epoch",
    "Epoch of each partition that this replica owns; nobody else tells one for it at that time",
    ["role", "partition"],
)
LAG = Gauge("oi_bus_lag_entries", "Entries not yet worked", ["role", "partition"])
LOOP_LAG = Gauge("oi_loop_lag_seconds", "How late the event loop woke up")
CLOCK_OFFSET = Gauge("oi_clock_offset_seconds", "How far this machine's clock is ahead of Redis'")
