"""Bulk work, as OpenAI's Batch API has it: files of requests, run when there is time.

`files` and `batches` are the calls; a file comes in through `multipart` and `upload`, piece by piece into Redis. `loop`
is what any gateway does besides: it takes batches (`turn` says which) and runs each (`run_batch`). A line is a request
to the gateway's own routes (`errand`), under a key made of batch and line, in class `lo`: so a line that is asked for
again, by whichever gateway, is the same job. Its answer becomes a result (`result`), and results with the place up to
which they are there are committed together (`progress`).
"""
