"""The frames on the page are frames that the broker writes."""

import json
import re
from datetime import timedelta

from ainp.core.events import attested_event, frame, missed_frame, negotiation_event
from support.builders import CLIENT, NOW, a_negotiation, a_proposal, a_receipt, agents, an_attestation
from support.builders import WORKER as AGENT
from support.reader import ROOT

PAGE = (ROOT / "docs" / "events.md").read_text()
SHOWN = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_the_page_shows_the_members_that_frames_have() -> None:
    countered = (
        a_negotiation()
        .propose(a_proposal(120), by=AGENT, now=NOW)
        .propose(a_proposal(110), by=CLIENT, now=NOW + timedelta(seconds=1))
    )
    told = negotiation_event(countered, "counter_proposed", by=CLIENT, now=NOW)
    heard = attested_event(a_receipt(), an_attestation("AUDIT_PASS", agents(5)[0]), now=NOW, have=2)
    frames = [json.loads(frame(json.dumps(event.body), 1)) for event in (told, heard)]

    assert [list(shown) for shown in SHOWN] == [*(list(each) for each in frames), list(json.loads(missed_frame(1, 2)))]
    assert SHOWN[0]["state"] == frames[0]["state"]
