"""How fast the broker is, and what an operation costs: `make bench`, `make bench-growth`; see docs/performance.md."""
