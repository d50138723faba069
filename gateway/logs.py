"""The process's log: events, not sentences; JSON where no person watches. Never prompt or answer text."""

import logging
import sys
from typing import Literal

import structlog

LogLevel = Literal["debug", "info", "warning", "error"]


def configure_logs(level: LogLevel) -> None:
    """Send all log events of this level and above to stderr."""
    # uvicorn's lines would tell twice what is told here, with addresses and tracebacks.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_renderers(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def _renderers() -> list[structlog.typing.Processor]:
    if sys.stderr.isatty():
        # Plain tracebacks: the pretty ones show local variables, and with them prompts.
        return [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
