"""What SIGTERM and Ctrl-C do while a process starts and stops; while it serves, its server has them."""

import asyncio
import signal

TO_STOP = (signal.SIGINT, signal.SIGTERM)


def interrupt_on_signals() -> None:
    """Outside the loop both signals are a KeyboardInterrupt, so that whatever was begun is cleaned up."""
    for number in TO_STOP:
        signal.signal(number, signal.default_int_handler)


def cancel_on_signals() -> None:
    """In the loop, while nothing is served, both signals cancel what runs."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in TO_STOP:
        loop.add_signal_handler(number, task.cancel)
