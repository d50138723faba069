"""JSON that is passed on as it came, never decoded; what it holds is told to the documents only."""

from typing import Annotated

import msgspec
from msgspec import Meta

RawText = Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "string"})]
RawLogprob = Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "TokenLogprob"})]  # of `shared.event`
