"""A part of the pool as a service of its machine, by launchd or systemd: there from the start on, and after a crash.

What is written and said is decided from values, the platform among them; only `command` and `keep` touch the machine.
"""
