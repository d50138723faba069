"""OpenAI's Responses API on the pool.

A response is a job, and `resp_<job id>` its name. What the job does not carry (the conversation as the client told it,
metadata, which fields it set) is kept as a note beside the job's record, and leaves with it.

A request's life: `request` is its struct, `response_job` makes a job of it (`conversation` its turns, `offers` its
tools), `note` what is kept; `creating` submits it. `events` tells the job's log as OpenAI's events, numbered by a fold
over that log: so a replay, at any gateway, has the numbers of the live stream (`streaming`). The whole response is what
that fold has gathered (`response`); `shelf` finds one again, and `stored` are the calls on it.
"""
