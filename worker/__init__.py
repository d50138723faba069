"""The Redis side of a machine: an agent that leases, claims, flushes and drains, and the engine it owns as a child."""
