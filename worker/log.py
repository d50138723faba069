"""How a worker logs: events with fields on stderr, JSON when nobody watches. Never prompt or answer text."""

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Set the process's logging up, once."""
    # Plain tracebacks: the pretty ones show local variables, and with them prompts.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer = for_people if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
