"""What a batch may do: what its key may do now. It has a day, and is not to outlive its key, nor the key's rights."""

from collections.abc import Callable

import msgspec

from gateway.caller import Caller

Standing = Callable[[Caller], Caller | None]  # what somebody who was let in before may do now; None: nothing any more


class Rights:
    """One batch's."""

    def __init__(self, maker: Caller, standing: Standing) -> None:
        self._maker = maker
        self._standing = standing
        self.caller = msgspec.structs.replace(maker, is_bulk=True)
        self.is_revoked = False
        self.has_lost_models = False  # since somebody last put that to False
        self.look()

    def look(self) -> None:
        """See how it stands; costs next to nothing."""
        now = self._standing(self._maker)
        if now is None:
            self.is_revoked = True
        elif not self.is_revoked:
            before = self.caller.models
            self.has_lost_models |= now.models is not None and (before is None or not before <= now.models)
            self.caller = msgspec.structs.replace(now, is_bulk=True)
