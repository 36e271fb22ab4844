"""The SDK's place: it may use the rules and the wire bodies, and nothing of the server."""
