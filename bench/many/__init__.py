"""The parts of `bench.scale`: many agents in a few processes, and one listener for all that they say.

Everything between an agent and Redis is the pool's own: its services, leases, looks, takes and flushes, on connections
of their own. Only the engine is played, inside the agents' process, at a pace and without computing anything.
"""
