"""What limits of messages allow fits together."""

from ainp.core import limits, message_limits


def test_what_waits_is_handed_over_within_a_few_minutes() -> None:
    assert message_limits.MAX_QUEUED / message_limits.MAX_RELEASED_PER_SECOND <= 120


def test_a_mail_at_every_limit_fits_into_an_envelope() -> None:
    text = message_limits.MAX_LABELS * message_limits.MAX_LABEL_LENGTH + message_limits.MAX_SUBJECT_LENGTH

    assert 4 * text < limits.MAX_BODY_BYTES
