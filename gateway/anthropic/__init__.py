"""Anthropic's API on the pool: messages, streamed or whole, and the counting of their tokens.

A request's life: `reading` parses it once and finds what has no effect, `translation` makes a job of it (`conversation`
its turns, `offers` its tools), `gateway.following` follows that, and the answer is written as `events` or as one object
(`whole`).
"""
