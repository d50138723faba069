"""The page's routes."""

from urllib.parse import urlsplit

from starlette.routing import Route

from shared.connection import Broker
from shared.pool import Pool

from .events import Events
from .job_story import JobStory
from .letters import Letters
from .pulse import Pulse
from .shell import Shell


def page_routes(pulse: Pulse, broker: Broker, pool: Pool, *, queue_url: str) -> list[Route]:
    """The routes, on this pool."""
    shell, letters = Shell(), Letters(broker, pool)
    events = Route("/pool/events", Events(pulse, without_password(queue_url)).get)
    assert events.methods
    events.methods.discard("HEAD")  # it would never end
    return [
        Route("/", shell.index),
        Route("/page/{name:path}", shell.file),
        events,
        Route("/pool/jobs/{id}", JobStory(broker).get),
        Route("/pool/dead", letters.all),
        Route("/pool/dead/retry", letters.retry, methods=["POST"]),
        Route("/pool/dead/drop", letters.drop, methods=["POST"]),
    ]


def without_password(url: str) -> str:
    """The queue's address as it may be shown: where there is a password, a word says so."""
    parts = urlsplit(url)
    user, has_user, place = parts.netloc.rpartition("@")
    name, has_password, _ = user.partition(":")
    shown = f"{name}{':PASSWORD' if has_password else ''}@{place}" if has_user else place
    # Of the options, which name files of this machine, one holds elsewhere as well.
    pin = "&".join(word for word in parts.query.split("&") if word.startswith("ssl_pin="))
    return parts._replace(netloc=shown, query=pin).geturl()
