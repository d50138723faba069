"""Grammars: which ids may come next so that an answer's text has the form that was asked for. No tensors, no pipe.

A request's form is compiled by `compiler` in a thread of its own, after `schema` has looked for what would be ignored
or explode, and behind `library`, the wall around llguidance. Each generation has a `guide` on it, which is fed the ids
that were drawn and says which may be next; what the decode step does with that is `decode`'s. `calls` makes the form of
an answer that has to be tool calls.
"""
