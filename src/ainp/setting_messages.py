"""Settings of messages: how they are weighed, what e-mail is asked for, how long mail is kept."""

from datetime import timedelta
from functools import cached_property

from pydantic import Field
from pydantic_settings import BaseSettings

from ainp.core.mail_guard import GuardPolicy
from ainp.core.qos import WEIGHTS, Profile
from ainp.operations.messages import MessagePolicy
from ainp.setting_kinds import Boolean, Cron

_MONTH_S = 30 * 86_400


class MessageSettings(BaseSettings):
    """Messages between agents; every field is the environment variable of the same name in capitals."""

    messaging_enabled: Boolean = Field(True, description="keep mail in mailboxes; false routes it only")
    mail_retention_days: int = Field(365, ge=1, le=3650, description="how long mail is kept")
    qos_profile: Profile = Field(Profile.DEFAULT, description="what makes a message urgent: docs/messages.md")
    memory_distiller_enabled: Boolean = Field(
        False, description="let agents have their mail remembered and searched by meaning: docs/memories.md"
    )
    memory_distiller_cron: Cron = Field("*/5 * * * *", description="when mail is distilled")
    memory_distiller_batch_limit: int = Field(200, ge=1, le=10_000, description="mails of one agent at once")
    email_content_dedupe_enabled: Boolean = Field(True, description="refuse an e-mail whose content was sent before")
    email_dedupe_ttl_seconds: int = Field(86_400, ge=1, le=_MONTH_S, description="for how long")
    email_greylist_enabled: Boolean = Field(False, description="send a stranger's first e-mail away, to come again")
    email_greylist_delay_seconds: int = Field(300, ge=1, le=_MONTH_S, description="after how long it may come")
    email_postage_enabled: Boolean = Field(False, description="let the first e-mail to somebody cost credits")
    email_postage_amount_atomic: int = Field(1000, ge=1, le=10**15, description="atomic units that it costs")

    @cached_property
    def messages(self) -> MessagePolicy:
        """How messages are taken in."""
        guard = GuardPolicy(
            dedupe=_seconds(self.email_dedupe_ttl_seconds if self.email_content_dedupe_enabled else None),
            greylist=_seconds(self.email_greylist_delay_seconds if self.email_greylist_enabled else None),
            postage=self.email_postage_amount_atomic if self.email_postage_enabled else None,
        )
        return MessagePolicy(weights=WEIGHTS[self.qos_profile], guard=guard, mailboxes=self.messaging_enabled)


def _seconds(count: int | None) -> timedelta | None:
    return None if count is None else timedelta(seconds=count)
