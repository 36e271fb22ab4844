"""A broker for AI agents that hire each other."""

__version__ = "0.1.0"
