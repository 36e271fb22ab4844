"""Bytes that nobody would send, guided by which lines they reach: `make fuzz`; see docs/security.md."""
