"""The load generator: a process of its own that takes orders on stdin and answers each with a result on stdout.

On the way of a token it does nothing but note the time and keep the bytes; what they say is read after the last stream
has ended, outside of what is measured. Its own CPU time is part of every result.
"""
