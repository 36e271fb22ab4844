"""Payment providers: they make invoices, and say, so that it can be verified, when one was paid."""

from collections.abc import Mapping
from dataclasses import dataclass

from ainp.adapters.payments.coinbase import Coinbase
from ainp.adapters.payments.lightning import Lightning
from ainp.core.payment import InvalidMethod, Method

__all__ = ["Coinbase", "Lightning", "Providers"]


@dataclass(frozen=True, slots=True)
class Providers:
    """Those that are set up here."""

    coinbase: Coinbase | None = None
    lightning: Lightning | None = None

    def of(self, method: Method) -> Coinbase | Lightning:
        """Who makes the invoices of a method."""
        found = self._by_method.get(method)
        if found is None:
            raise InvalidMethod(f"Payment provider not configured for method: {method}")
        return found

    @property
    def usual(self) -> Method | None:
        """The method that is offered to whoever has too little."""
        return next((method for method, provider in self._by_method.items() if provider is not None), None)

    @property
    def _by_method(self) -> Mapping[Method, Coinbase | Lightning | None]:
        return {Method.COINBASE: self.coinbase, Method.LIGHTNING: self.lightning}
