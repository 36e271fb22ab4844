"""What operators see of a broker: lines in the log (`logs`), numbers in a scrape (`metrics`)."""

from ainp.telemetry.logs import SERVICE, Line, configure_logging, log, logger

__all__ = ["SERVICE", "Line", "configure_logging", "log", "logger"]
