"""The parts of `bench.homes`: talks replayed over HTTP to real workers of unlike speed.

`script` makes messages of a talk, `client` asks them as its people would, `macs` are the workers, `figures` what came
of it; each of the others is a part of the measurement.
"""
