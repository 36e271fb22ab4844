"""The program on the page of messages runs as it stands there, and its frame is one that the broker writes."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from ainp.core.bargain import Phase
from ainp.core.contact import Consent
from ainp.core.envelope import open_envelope
from ainp.core.events import message_notice
from ainp.core.message import Message, MsgType, read_mail
from ainp.core.qos import Profile
from ainp.http.message_routes import MESSAGE_ROUTES
from support.mail import a_mail
from support.reader import ROOT, blocks
from support.serving import a_data_dir, serving
from support.signing import identity

PAGE = (ROOT / "docs" / "messages.md").read_text()


def test_the_program_runs_as_it_is_written(tmp_path: Path) -> None:
    [program] = blocks(PAGE, "python")
    with a_data_dir() as data_dir, serving(data_dir, AUTH_MODE="strict") as broker:
        program = program.replace("http://localhost:8080", broker.url)
        run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert broker.end() == 0

    assert (run.returncode, run.stderr) == (0, "")
    mail = ["INTENT True True", "Today Lunch at noon?"]
    assert run.stdout.splitlines() == ["routed True AGENT_OFFLINE", "INTENT True True", *mail]


def test_the_notice_has_the_members_that_the_page_shows() -> None:
    [shown] = [json.loads(block) for block in blocks(PAGE, "json")]
    envelope = open_envelope(a_mail(identity("alice"), identity("bob").did), now=datetime.now(UTC))
    mail = read_mail(envelope, conversation="c")
    to = (identity("bob").did,)
    told = Message(id=UUID(int=1), envelope=envelope, recipients=to, priority=0.5, waits=True, mail=mail)

    assert list(shown) == [*message_notice(told), "number"]


def test_the_page_names_what_there_is() -> None:
    words = set(re.findall(r"[A-Za-z_]+", PAGE))

    assert {*MsgType, *Phase, *Consent, *Profile} - {Profile.DEFAULT} <= words
    for route in MESSAGE_ROUTES:
        assert route.path in PAGE
    assert {route.method for route in MESSAGE_ROUTES} <= words
