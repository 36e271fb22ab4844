"""The limits of payments, as `limits` has the others."""

from datetime import timedelta
from typing import Annotated

from ainp.core.limits import Limit, Of

MAX_OPEN_PAYMENTS: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "payment requests of an agent that are open",
        "409 `TOO_MANY_PAYMENTS`",
        "each is an invoice at a provider, who counts them too",
    ),
] = 20
MAX_PAYMENT_TIME: Annotated[
    timedelta, Limit(Of.NEGOTIATION, "the time to pay", "400", "a price in another currency is a day's")
] = timedelta(days=1)
MAX_PAYMENT_DESCRIPTION: Annotated[
    int, Limit(Of.NEGOTIATION, "characters of a payment's description", "400", "providers take no more")
] = 200
MAX_PROVIDER_CALLS: Annotated[
    int,
    Limit(
        Of.NEGOTIATION,
        "calls to one payment provider at once, from one process",
        "503 `PROVIDER_UNAVAILABLE`",
        "a provider that is slow must not take the database's connections with it",
    ),
] = 8
MAX_PROVIDER_TIME: Annotated[
    timedelta,
    Limit(Of.NEGOTIATION, "an answer of a payment provider", "503 `PROVIDER_UNAVAILABLE`", "an agent waits for it"),
] = timedelta(seconds=10)
MAX_PROVIDER_BYTES: Annotated[
    int,
    Limit(Of.NEGOTIATION, "bytes of a payment provider's answer", "503 `PROVIDER_UNAVAILABLE`", "they have a few kB"),
] = 64 * 1024
MAX_WEBHOOK_AGE: Annotated[
    timedelta,
    Limit(Of.NEGOTIATION, "the age of a payment webhook", "400 `WEBHOOK_ERROR`", "Coinbase tries for three days"),
] = timedelta(days=7)
