"""Facts about payments that somebody changed by hand, and what that contradicts."""

from ainp.core.audit import Check
from support.broken import a_break, update

C = Check
_BOUGHT = "key LIKE 'payment:coinbase:%'"
_GIVEN = "key LIKE 'payment:credits:%'"

PAYMENT_BREAKS = (
    a_break(
        "a request that is said to be paid",
        update("payment_requests", "status = 'paid'", "status = 'pending'"),
        C.PAYMENT_ENTRY,
        C.PAYMENT_RECEIPT,
    ),
    a_break(
        "a request that is said not to be paid",
        update("payment_requests", "status = 'expired'", "status = 'paid' AND method = 'coinbase'"),
        C.PAYMENT_ENTRY,
        C.PAYMENT_RECEIPT,
    ),
    a_break(
        "a request that is gone",
        "DELETE FROM payment_requests WHERE status = 'paid' AND method = 'coinbase' RETURNING id",
        C.PAYMENT_ENTRY,
    ),
    a_break(
        "a receipt that is gone",
        "DELETE FROM payment_receipts WHERE provider = 'coinbase' RETURNING request_id",
        C.PAYMENT_RECEIPT,
    ),
    a_break(
        "a receipt of less",
        update("payment_receipts", "amount_atomic = 6999", "provider = 'coinbase'", "request_id"),
        C.PAYMENT_RECEIPT,
    ),
    a_break(
        "what was bought",
        update("payment_requests", "amount_atomic = 6999", "status = 'paid' AND method = 'coinbase'"),
        C.PAYMENT_ENTRY,
    ),
    a_break(
        "who bought",
        update("ledger_entries", "to_account = 'available:x'", _BOUGHT, "reference"),
        C.PAYMENT_ENTRY,
        C.ACCOUNT_BALANCE,
    ),
    a_break(
        "who was paid",
        update("ledger_entries", "to_account = 'available:x'", _GIVEN, "reference"),
        C.PAYMENT_ENTRY,
        C.ACCOUNT_BALANCE,
        C.ACCOUNT_EARNED,
    ),
)
