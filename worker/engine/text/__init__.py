"""Text: chat templates, prompts as ids, and ids as what they say, up to a stop string. No tensors, no pipe.

An answer goes from `stream` (ids to text) by `sections` (text, cut at the model's markers) to `speech` (content,
reasoning and calls), which `deadline` keeps from reading one call for ever. `spelling` knows the bytes behind each id
by itself.
"""
