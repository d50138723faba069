"""The prompt cache: which state of a model is kept, under which ids, and which goes first. To it states are opaque.

`prefixes` finds the stored ids that a prompt begins with; `cache` holds a state under each, within a number of bytes.
What a state is, and how one is taken from a row and continued by another, is the decode room's.
"""
