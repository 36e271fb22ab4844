"""Where processes that stay log to."""

import signal
from typing import Any

from ainp.settings import Settings, SettingsError
from ainp.telemetry import configure_logging
from ainp.telemetry.log_file import LogFile


def begin_log(settings: Settings, *, process: str | None = None) -> None:
    """
    Log as the settings say, as one *process* of several or alone; raises SettingsError if LOG_FILE can't be opened.

    With a file SIGHUP, by which whoever rotates it says so, ends nothing: the next line goes to the new file anyway.
    """
    always: dict[str, Any] = {} if process is None else {"process": process}
    if settings.log_file is None:
        configure_logging(settings.log_level, **always)
        return
    try:
        file = LogFile(settings.log_file)
    except OSError as error:
        raise SettingsError(f"LOG_FILE={settings.log_file} can't be opened: {error.strerror}") from error
    configure_logging(settings.log_level, file=file, **always)
    signal.signal(signal.SIGHUP, _go_on)


def _go_on(*_: object) -> None:
    pass
