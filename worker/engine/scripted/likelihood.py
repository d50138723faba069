"""How likely the scripted engine calls its ids: numbers of their own hash, so that a wrong resume shows in them."""

from itertools import islice

from shared.event import TokenLogprob
from worker.engine.logprobs import logprob_of

from .vocabulary import Node

_HASH_BITS = 31
_FALL = 0.75  # from each of the likeliest ids to the next


def logprob_behind(state: int, node: Node, token_id: int, count: int) -> TokenLogprob:
    """Tell of an id that was drawn in this state at this node: it is the likeliest, and others of the node follow."""
    first = -(state >> 64 - _HASH_BITS) / (1 << _HASH_BITS)
    others = islice((each for each in node.ids if each != token_id), max(0, count - 1))
    likeliest = [token_id, *others][:count]
    piece_of = node.vocabulary.piece_of
    best = [(piece_of(each), first - _FALL * place) for place, each in enumerate(likeliest)]
    return logprob_of(piece_of(token_id), first, best)
