"""The page for people: `GET /`, its files below `/page/`, and what it asks for: events, jobs, dead letters.

`static/` is served as it lies there: plain ES modules, one CSS file, and uPlot with its licence under `vendor/`.
Nothing is built, nothing is fetched from elsewhere, and every URL is relative, so that it works behind a path prefix.
"""
