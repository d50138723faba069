"""The load generator as the one who measures sees it: an order goes in, a result comes out."""

from collections.abc import Mapping
from pathlib import Path

from bench.load.orders import Order, Result

from .partner import Partner


class LoadGenerator(Partner):
    """A load generator's process, for the length of a `with`; `module` is another that takes orders as it does."""

    def __init__(
        self, folder: Path, module: str = "bench.load", *flags: str, env: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(folder, module, *flags, env=env)

    def carry_out(self, order: Order) -> Result:
        """Have an order carried out.

        Raises:
            Died: it failed; the message has the generator's last words.

        """
        return self.ask(order, Result)
