"""`docs/asyncapi.json`: the Redis side for services that submit jobs and read events themselves, for their tools.

Drawn from the structs of jobs and events and from the names of keys; `docs/protocol.md` tells the same to people. A
test fails when the file is not what `python -m shared.asyncapi` prints.
"""
