"""A model is taken from another machine: whole, checked, and with nothing left of what can't be trusted."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Fault, Refused
from shared.supply import Source, Supply
from tests.ports import FreePort
from worker.catalog.progress import Progress, untold
from worker.catalog.supplied import bring_supplied
from worker.peer.failure import Untrue
from worker.peer.manifest import PIECE_BYTES, File

from .neighbour import QUEUE, TOKEN, Misdeed, Neighbour, put_model

Neighbours = Callable[..., Neighbour]
Bring = Callable[..., Path]
GIVEN = ["config.json", "model.safetensors", "tokenizer.json"]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The models of the machine that joins: none yet."""
    return tmp_path / "here"


@pytest.fixture
def bring(models: Path) -> Bring:
    """Bring the model to this machine."""

    def run(supply: Supply, name: str = QUEUE, progress: Progress = untold, **env: str) -> Path:
        return bring_supplied(name, supply, progress, env={"MLX_POOL_MODELS": str(models), **env})[1]

    return run


def left_in(models: Path) -> list[str]:
    """What anybody could take for a model, or for a part of one."""
    return sorted(path.name for path in models.iterdir() if path.name != ".locks")


def test_a_model_comes_whole_and_without_code(neighbour: Neighbours, bring: Bring, original: Path) -> None:
    """Byte for byte what lies there, under the name by which the pool asks for it; and progress reaches its end."""
    told: list[float | None] = []

    def tell(_: str, done: float | None) -> None:
        told.append(done)

    folder = bring(neighbour().supply(), progress=tell)

    assert folder.name == "mine"
    assert sorted(path.name for path in folder.iterdir()) == GIVEN
    assert all((folder / name).read_bytes() == (original / name).read_bytes() for name in GIVEN)
    assert told[-1] == 1.0


@pytest.mark.parametrize(
    ("misdeed", "said"),
    [("wrong bytes", "another SHA-256"), ("wrong size", "another size"), ("endless", "does not say how long")],
)
def test_a_machine_that_gives_something_else_is_named_and_nothing_is_kept(
    neighbour: Neighbours, bring: Bring, models: Path, misdeed: Misdeed, said: str
) -> None:
    """Not one of its bytes; the words say who it was, and how to go on without."""
    liar = neighbour(misdeed)

    with pytest.raises(Untrue, match=rf"{liar.source.id} is not to be trusted.*{said}.*--no-peers"):
        bring(liar.supply())

    assert left_in(models) == []


@pytest.mark.parametrize("name", ["../../evil.json", "/etc/evil.json", ".evil.json", "evil.py", "a/b.json", "x\n.json"])
def test_a_name_that_is_no_models_file_is_never_written(
    neighbour: Neighbours, bring: Bring, models: Path, tmp_path: Path, name: str
) -> None:
    """Even where the whole list came through the pool itself."""
    liar = neighbour()
    liar.claim(File(name, 0, ()))

    with pytest.raises(Untrue, match="no file of a model"):
        bring(liar.supply())

    assert left_in(models) == []
    assert not list(tmp_path.rglob("evil*"))


def test_a_list_of_files_that_the_pool_does_not_know_is_not_followed(
    neighbour: Neighbours, bring: Bring, models: Path
) -> None:
    """Its SHA-256 was told through Redis; who listens on that address instead can't make another one."""
    liar = neighbour()
    supply = liar.supply()
    liar.manifest += b" "

    with pytest.raises(Untrue, match="not the one that the pool knows"):
        bring(supply)

    assert left_in(models) == []


def test_other_weights_than_the_queues_are_not_taken(neighbour: Neighbours, bring: Bring, models: Path) -> None:
    """A machine that has the pool's password still can't bring a model of its own under a name that is served."""
    with pytest.raises(Untrue, match="gave other weights than the pool serves under the name mine"):
        bring(neighbour().supply(fingerprint="0123456789abcdef"))

    assert left_in(models) == []


def test_what_broke_off_goes_on_with_the_pieces_that_are_missing(
    neighbour: Neighbours, bring: Bring, models: Path, tmp_path: Path
) -> None:
    """What came before is read and checked again, not asked for again; it is no model as long as it is half of one."""
    large = put_model(tmp_path / "large" / "mine", PIECE_BYTES + 1_000_000)
    breaking, whole = neighbour("breaks", large), neighbour("none", large)
    with pytest.raises(Refused, match=r"came in part only.*the connection ended in the middle"):
        bring(breaking.supply())
    assert left_in(models) == [".mine.from-pool"]

    folder = bring(whole.supply())

    assert (folder / "model.safetensors").read_bytes() == (large / "model.safetensors").read_bytes()
    assert whole.ranges == [f"model.safetensors bytes={PIECE_BYTES}-{PIECE_BYTES + 999_999}"]
    assert left_in(models) == ["mine"]


def test_a_damaged_beginning_is_mended(neighbour: Neighbours, bring: Bring, models: Path, original: Path) -> None:
    """What lies there from last time counts by its checksum only; strange files and links do not stay."""
    partial = models / ".mine.from-pool"
    partial.mkdir(parents=True)
    (partial / "model.safetensors").write_bytes(bytes(200_000))
    (partial / "tokenizer.json").symlink_to(original / "tokenizer.json")
    (partial / "strange").mkdir()

    folder = bring(neighbour().supply())

    assert (folder / "model.safetensors").read_bytes() == (original / "model.safetensors").read_bytes()
    assert not (folder / "tokenizer.json").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == GIVEN


def test_several_machines_give_together(neighbour: Neighbours, bring: Bring, tmp_path: Path) -> None:
    """Each brings pieces, and one that breaks is made up for by the others."""
    large = put_model(tmp_path / "large" / "mine", 2 * PIECE_BYTES)
    breaking, whole = neighbour("breaks", large), neighbour("none", large)

    folder = bring(whole.supply(breaking.source))

    assert (folder / "model.safetensors").read_bytes() == (large / "model.safetensors").read_bytes()
    assert breaking.ranges


def test_who_is_gone_is_passed_over(neighbour: Neighbours, bring: Bring, free_port: FreePort) -> None:
    """A machine that nobody hears any more, and one address of two that leads nowhere."""
    nowhere = f"http://127.0.0.1:{free_port()}"
    here = neighbour()
    gone = Source(id="gone.1", urls=(nowhere,), token=TOKEN)
    two = Source(id="two.1", urls=("ftp://127.0.0.1:1", nowhere, *here.source.urls), token=TOKEN)
    supply = Supply(
        queue=QUEUE, digest=here.digest, bytes=here.bytes, fingerprint=here.fingerprint, sources=(gone, two)
    )

    assert (bring(supply) / "config.json").is_file()


def test_where_nobody_gives_it_the_usual_way_is_taken(neighbour: Neighbours, bring: Bring, models: Path) -> None:
    """The default model comes from its package then; a name that only the pool knows can't come from anywhere."""
    gone = Source(id="gone.1", urls=(), token="")
    told: list[str] = []
    supply = Supply(queue="smollm2-135m", digest="0" * 64, bytes=1, fingerprint="", sources=(gone,))
    own = Supply(queue="tuned", digest="0" * 64, bytes=1, fingerprint="", sources=(gone,))

    def tell(message: str, _: float | None) -> None:
        told.append(message)

    folder = bring(supply, "smollm2-135m", tell)

    assert folder == models / "smollm2-135m"
    assert left_in(models) == ["smollm2-135m"]
    assert "no machine of the pool gives smollm2-135m now (gone.1: it has no address); from elsewhere, then" in told
    with pytest.raises(Refused, match=r"no machine of the pool gives tuned now.*There is no model named tuned"):
        bring(own, "tuned")


def test_what_has_no_room_is_not_begun(neighbour: Neighbours, bring: Bring, models: Path) -> None:
    """Both sizes are told before anything is written."""
    large = neighbour()
    size = 100_000 * PIECE_BYTES
    large.claim(File("model.safetensors", size, ("0" * 64,) * 100_000))

    with pytest.raises(Fault, match=r"mine needs 6710\.9 GB of disk"):
        bring(large.supply())

    assert [path.name for path in (models / ".mine.from-pool").iterdir()] == []


def test_a_model_that_is_here_is_not_asked_for(bring: Bring, models: Path, put_here: None) -> None:
    """Whatever the pool tells of it."""
    gone = Supply(queue=QUEUE, digest="0" * 64, bytes=1, fingerprint="", sources=())

    assert bring(gone) == models / "mine"


@pytest.fixture
def put_here(models: Path) -> None:
    """The model lies on this machine."""
    put_model(models / "mine")
