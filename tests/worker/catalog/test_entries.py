"""The catalogue itself: what is shipped can be read, and makes sense."""

import pytest

from shared.errors import Fault
from worker.catalog.entries import Hub, Wheel, decode_catalogue, read_catalogue
from worker.catalog.fit import Machine, fits, judge, machine_memory_mb


def test_the_shipped_catalogue_is_sound() -> None:
    """Names are unique and typeable, the default is one of them, and no size is forgotten."""
    catalogue = read_catalogue()

    names = [entry.name for entry in catalogue.models]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and "/" not in name for name in names)
    assert catalogue.entry(catalogue.default)
    assert all(0 < (entry.disk_mb or 0) < (entry.memory_mb or 0) for entry in catalogue.models)
    assert all(entry.licence and entry.family and entry.kv_mb for entry in catalogue.models)
    assert all((entry.context_tokens or 0) >= 4096 for entry in catalogue.models)


def test_the_default_needs_no_hub() -> None:
    """Without a model hub a new machine still has a model: it comes from the package index, with its checksum."""
    catalogue = read_catalogue()
    default = catalogue.entry(catalogue.default)

    assert default
    assert isinstance(default.source, Wheel)
    assert len(default.source.sha256) == 64
    assert all(isinstance(entry.source, Hub) for entry in catalogue.models if entry is not default)


@pytest.mark.parametrize(
    "text", ["default = ", "default = 'a'", "default = 'a'\nmodels = [{ name = 'a', colour = 'red' }]"]
)
def test_a_broken_catalogue_is_named(text: str) -> None:
    """Who edits the file wrongly reads which file and what is wrong."""
    with pytest.raises(Fault, match=r"here\.toml can't be read"):
        decode_catalogue(text.encode(), "here.toml")


def test_half_the_memory_is_comfort_and_three_quarters_the_end() -> None:
    """A model that takes more than the system can spare is marked before it is downloaded."""
    assert fits(4_000, memory_mb=8_000) == "fits"
    assert fits(4_001, memory_mb=8_000) == "tight"
    assert fits(6_001, memory_mb=8_000) == "too large"
    assert fits(4_000, memory_mb=None) is None


def test_a_full_disk_comes_before_memory() -> None:
    """What can't be written can't be loaded either; what is there already takes no more disk."""
    machine = Machine(memory_mb=8_000, disk_mb=1_000)

    assert judge(4_000, 1_001, machine) == "disk full"
    assert judge(4_000, 1_000, machine) == "fits"
    assert judge(4_000, None, machine) == "fits"
    assert judge(None, None, machine) is None


def test_this_machine_has_memory() -> None:
    """The size of the machine is known on every platform that runs the tests."""
    memory_mb = machine_memory_mb()

    assert memory_mb
    assert 256 < memory_mb < 16_000_000
