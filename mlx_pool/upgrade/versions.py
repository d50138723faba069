"""The exact versions of all that an environment has: what was, what is, and what that changes."""

import importlib.metadata
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from .installation import NAME


def versions_in(prefix: Path) -> dict[str, str]:
    """Give the versions of an environment that was made like this one, by name."""
    places = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    folders = [str(prefix / Path(place).relative_to(sys.prefix)) for place in sorted(places)]
    found = importlib.metadata.distributions(path=folders)
    # A broken one has neither name nor version, whatever its type says.
    return {str(each.name).lower().replace("_", "-"): str(each.version) for each in found if each.name}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Tell what an installation has changed, ours first."""
    for name in sorted({*before, *after}, key=lambda name: (name != NAME, name)):
        was, is_ = before.get(name), after.get(name)
        if was == is_:
            continue
        yield f"{name} {was} → {is_}" if was and is_ else (f"{name} {is_}, new" if is_ else f"{name} {was}, gone")


def frozen(versions: Mapping[str, str]) -> str:
    """Write versions as requirements, which pip and uv read."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))
