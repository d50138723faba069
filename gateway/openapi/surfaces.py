"""All surfaces that the gateway serves, in the order in which the document tells of them."""

from gateway.anthropic.described import ANTHROPIC
from gateway.bulk.described import BULK
from gateway.described import POOL
from gateway.join.described import JOIN
from gateway.openai.described import OPENAI
from gateway.page.described import PAGE
from gateway.responses.described import RESPONSES_API

from .operation import Surface

SURFACES: tuple[Surface, ...] = (POOL, OPENAI, RESPONSES_API, ANTHROPIC, BULK, PAGE, JOIN)
