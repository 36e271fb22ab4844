"""Writes deploy/prometheus/alerts.yml from the table of alerts. Run by `make docs`."""

import json
from pathlib import Path

from ainp.core.alerts import ALERTS, Alert

DOCUMENT = Path(__file__).parent.parent.parent / "deploy" / "prometheus" / "alerts.yml"

_HEAD = """\
# Generated from src/ainp/core/alerts.py by `make docs`; a test keeps it so.
groups:
  - name: ainp
    rules:
"""


def document() -> str:
    """The whole file."""
    return _HEAD + "".join(map(_rule, ALERTS))


def annotations(alert: Alert) -> dict[str, str]:
    """What whoever is woken reads."""
    return {"summary": f"{alert.means[0].upper()}{alert.means[1:]}.", "fix": f"{alert.fix[0].upper()}{alert.fix[1:]}."}


def _rule(alert: Alert) -> str:
    lines = [
        f"      - alert: {alert.name}",
        f"        expr: {json.dumps(alert.expression)}",
        *([f"        for: {alert.for_s}s"] if alert.for_s else []),
        "        labels:",
        f"          severity: {alert.severity}",
        "        annotations:",
        *(f"          {name}: {json.dumps(text)}" for name, text in annotations(alert).items()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document())
