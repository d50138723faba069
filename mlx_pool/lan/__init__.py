"""Pools on the local network, found by Bonjour: a hint of where one is, and nothing more. The key is still needed.

`found` is what is told, as values; `bonjour` is the one module that knows the library, which is the extra `lan`.
"""
