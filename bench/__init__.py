"""Measurements of the pool as a user meets it: real processes, a real broker, real HTTP. See README.md and LOG.md.

No other room imports this one. What is measured is printed as tables; nothing here passes or fails by a time.
"""
