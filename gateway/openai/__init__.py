"""OpenAI's API on the pool: chat completions, completions, models.

A request's life: `reading` parses it once and finds what has no effect (`fields` says of every field what becomes of
it), `chat_job` or `text_job` makes jobs of it, `gateway.following` follows those, and the answer is written as chunks
(`chat_chunks`, `text_chunks`; of one choice by `one_choice`, of several by `choices`) or as one object (`whole`).
"""
