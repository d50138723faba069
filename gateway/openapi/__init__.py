"""`/openapi.json`: what the gateway's routes take and answer, drawn from the structs that they read and write.

Each surface describes its calls beside its routes, in its module `described`, in the words of `operation`; a test holds
descriptions and routes together. `surfaces` lists them, `paths` and `errors` write each call as OpenAPI has it, and
`document` is the whole. Nothing of it is made before somebody asks.
"""
