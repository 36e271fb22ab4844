"""Messages as agents send them."""

from typing import Any

from ainp.client.identity import Identity
from support.envelopes import an_envelope


def an_intent(by: Identity, to: str | None, **changes: object) -> bytes:
    """A direct intent."""
    payload = {"@context": "https://example.org/ask/v1", "@type": "Ask", "semantics": {"question": "why?"}}
    members: dict[str, Any] = {"msg_type": "INTENT", "to_did": to, "payload": payload, **changes}
    return an_envelope(by, **members)


def a_mail(by: Identity, to: str, text: str = "Hello", *, kind: str = "MESSAGE", **semantics: object) -> bytes:
    """A mail, as the SDKs make one."""
    return an_intent(by, to, payload=a_payload(text, kind=kind, **semantics))


def an_email(by: Identity, to: str, text: str = "Hello", **semantics: object) -> bytes:
    """A mail that is guarded as e-mail."""
    return a_mail(by, to, text, kind="EMAIL_MESSAGE", **semantics)


def a_payload(text: str = "Hello", *, kind: str = "MESSAGE", **semantics: object) -> dict[str, Any]:
    """What a mail carries."""
    said = {"subject": "About it", "content": text, "participants": [], **semantics}
    return {
        "@type": kind,
        "@context": "https://schema.ainp.dev/message/v1",
        "version": "1.0",
        "semantics": {name: value for name, value in said.items() if value is not ...},
    }
