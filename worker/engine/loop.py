"""The engine's loop: take in, decode a step, prefill a chunk, for ever, all in the one thread that owns MLX."""

import time
from collections.abc import Collection
from typing import assert_never

from shared.errors import PoolError

from .decode.admission import lull_s
from .decode.decoder import Decoder
from .generation import Generation
from .pipe import Pipe, Taken
from .reception import Reception
from .vitals import Vitals
from .wire import Cached, Cancel, Error, Generate, HandedBack, Hold, Prefill

_BURST_S = 0.05  # of a stream of requests that finds the engine idle, what comes meanwhile is read together


class Loop:
    """Runs a decoder between a pipe's two ends."""

    def __init__(self, pipe: Pipe, reception: Reception, decoder: Decoder) -> None:
        self._pipe = pipe
        self._reception = reception
        self._decoder = decoder
        self._vitals = Vitals(decoder)
        self._generations: dict[int, Generation] = {}
        self._has_op_peer = False
        self._is_at_eof = False
        self._held_until_s = 0.0

    def run(self) -> None:
        """Turn until everything asked by hand is answered and the input has ended; an agent's end ends the process."""
        while not (self._is_at_eof and self._decoder.is_idle and not self._reception.is_compiling):
            self.step()

    def step(self) -> None:
        """Turn once. What a step drew is written before the chunk is read, which takes longer."""
        self._take_in()
        is_held = self._is_held
        if not is_held:
            self._relieve()
            self._admit()
            self._decode()
        self._tell_cached()
        self._report()
        self._pipe.flush()
        if not is_held:
            self._prefill()

    @property
    def _is_held(self) -> bool:
        return time.monotonic() < self._held_until_s

    def _take_in(self) -> None:
        is_idle = self._decoder.is_idle or self._is_held
        arrived = self._pipe.take(patience_s=self._rest_s() if is_idle else 0)
        burst_ends_s = time.monotonic() + _BURST_S
        while arrived:
            for taken in arrived:
                self._obey(taken)
            may_wait = is_idle and time.monotonic() < burst_ends_s and not self._is_at_eof
            arrived = self._pipe.take(patience_s=self._lull_s()) if may_wait else []
        for request, has_op, _ in self._reception.released():
            self._begin(request, has_op=has_op)

    def _rest_s(self) -> float:
        """How long there is nothing to do: until the next report, and no longer than it is held."""
        held_s = self._held_until_s - time.monotonic()
        return min(self._vitals.due_in_s(), held_s) if held_s > 0 else self._vitals.due_in_s()

    def _lull_s(self) -> float:
        return lull_s(self._decoder.tokens_to_read, self._decoder.prefill_tokens_per_second)

    def _obey(self, taken: Taken) -> None:
        self._has_op_peer = self._has_op_peer or taken.has_op
        match taken.request:
            case Generate() as request:
                self._begin(request, has_op=taken.has_op)
            case Cancel(id=cancelled):
                self._reception.forget(cancelled)
                self._forget(
                    {generation.key for generation in self._generations.values() if generation.id == cancelled}
                )
            case Hold(for_ms=for_ms):
                self._held_until_s = time.monotonic() + for_ms / 1_000
            case Error() as error:
                self._pipe.say(error)
            case None:
                self._is_at_eof = True
            case _:
                assert_never(taken.request)

    def _begin(self, request: Generate, *, has_op: bool) -> None:
        try:
            received = self._reception.receive(request, has_op=has_op)
        except PoolError as error:
            self._complain(request.id, error)
            return
        if received is None:
            return
        generation, row = received
        if row is None:
            self._start(generation)
            self._pipe.say(generation.done())
            return
        self._generations[generation.key] = generation
        self._decoder.add(row)

    def _relieve(self) -> None:
        # What was typed by hand has nowhere to go.
        leaving = [key for key in self._decoder.relieve() if self._generations[key].has_op]
        if not leaving:
            return
        self._report()  # how short memory is comes first, so that nobody sends again at once what is handed back
        for key in leaving:
            self._pipe.say(HandedBack(id=self._generations[key].id, alone=self._decoder.busy == 1))
        self._vitals.count_handed_back(len(leaving))
        self._forget(leaving)

    def _admit(self) -> None:
        for key, cached_tokens in self._decoder.admit():
            self._start(self._generations[key], cached_tokens)

    def _start(self, generation: Generation, cached_tokens: int = 0) -> None:
        started = generation.start(cached_tokens)
        if generation.has_op:
            self._pipe.say(started)

    def _decode(self) -> None:
        drawn = self._decoder.decode()
        self._vitals.count(len(drawn))
        ended: set[int] = set()
        for key, token, likelihood in drawn:
            if key in ended:
                continue  # drawn in the same step, behind its end
            generation = self._generations[key]
            if generation.refusal is not None:
                self._complain(generation.id, generation.refusal)
                ended.add(key)
                continue
            self._pipe.say(generation.take(token, likelihood))
            if generation.reason is not None:
                self._pipe.say(generation.done())
                ended.add(key)
        if ended:
            self._forget(ended)

    def _complain(self, request_id: str, error: PoolError) -> None:
        self._pipe.say(Error(id=request_id, code=error.code, message=error.message, param=error.param))

    def _forget(self, keys: Collection[int]) -> None:
        self._decoder.drop(keys)
        for key in keys:
            del self._generations[key]

    def _prefill(self) -> None:
        for progress in self._decoder.prefill():
            generation = self._generations[progress.key]
            if generation.has_op:
                self._pipe.say(Prefill(id=generation.id, done=progress.done, total=progress.total))

    def _tell_cached(self) -> None:
        if self._has_op_peer:
            stored, evicted = self._decoder.prompt_cache.labels.changes()
            if stored or evicted:
                self._pipe.say(Cached(stored=stored, evicted=evicted))

    def _report(self) -> None:
        if self._vitals.due_in_s() == 0:
            stats = self._vitals.report()
            if self._has_op_peer:
                self._pipe.say(stats)
