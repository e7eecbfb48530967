"""What tells a process to stop: signals, or the end of the process that started it."""

import asyncio
import os
import signal
import threading


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` at the first SIGINT or SIGTERM; end the process at the second."""
    loop = asyncio.get_running_loop()
    signals = 0

    def on_signal() -> None:
        nonlocal signals
        signals += 1
        if signals > 1:  # a second signal: at once
            os._exit(1)
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows has no loop handlers
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))


def stop_with_stdin(stop: asyncio.Event) -> None:
    """Set ``stop`` when standard input ends, as it does when the process that started this one dies."""
    loop = asyncio.get_running_loop()

    def watch() -> None:
        while os.read(0, 4096):
            pass
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="stdin", daemon=True).start()
