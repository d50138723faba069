"""What gateway and worker must agree on: jobs, events, errors, keys, scripts, queues, channels.

Nothing else enters this room, and it needs only redis and msgspec. `shared.job`, `shared.event` and `shared.errors`
are plain data and import no redis, so that the engine, which knows no broker, may speak in the same words.
"""
