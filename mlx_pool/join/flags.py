"""The flags of `mlx-pool join`, each with what its help says."""

from typing import Annotated

from cyclopts import Parameter

Address = Annotated[
    str | None,
    Parameter(help="redis://:PASSWORD@HOST:PORT, the line of `up --host`. [default: MLX_POOL_REDIS_URL, else it asks]"),
]
Model = Annotated[
    str | None, Parameter(help="A name, a folder or a Hugging Face id. [default: the one that the pool serves]")
]
Found = Annotated[
    str | None, Parameter(help="NAME of a pool on this network, in place of an address; the password is asked for.")
]
Slots = Annotated[int | None, Parameter(help="Jobs at once.")]
MemoryLimit = Annotated[float | None, Parameter(help="GiB that the engine may have.")]
ModelsMemory = Annotated[
    float | None, Parameter(help="GiB that models on demand may fill together. [default: 3/4 of the memory]")
]
Name = Annotated[str | None, Parameter(help="This machine's name in the pool. [default: its host name]")]
ShareModels = Annotated[
    str | None, Parameter(help="HOST[:PORT] to listen on: give this machine's models to those that join later.")
]
Peers = Annotated[bool, Parameter(negative="--no-peers", help="Take the model from machines of the pool that give it.")]
Stay = Annotated[bool, Parameter(negative="", help="Make it a service, which is there after a restart, and return.")]
WaitS = Annotated[float, Parameter(name="--wait-s", help="With --stay: how long to wait until it serves.")]
DryRun = Annotated[bool, Parameter(negative="", help="Only tell what would be done.")]
AsJson = Annotated[bool, Parameter(name="--json", negative="", help="One JSON object when it serves, for programs.")]
