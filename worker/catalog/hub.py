"""Downloads from the Hugging Face hub: weights, configuration and tokenizer, never code; they fail early or go on.

The only module that knows the hub's client. The client's import takes a second, so it happens only when it is needed.
"""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import Refused

from .disk import check_room
from .progress import Progress

_WANTED = ("*.safetensors", "*.json", "*.jinja", "*.txt", "tokenizer.model", "*.tiktoken")
_UNWANTED = ("*/*",)  # repositories keep other formats in folders
_Answer = TypeVar("_Answer")
_ANSWER_LIMIT_S = 12.0  # the hub must have told what the repository holds by then


def download(hub_id: str, into: Path, progress: Progress, *, endpoint: str | None = None) -> None:
    """Download a repository into a folder; what an earlier, broken download left there is used. Blocks until done.

    Raises:
        Refused: the hub can't be reached, or has no such repository for us. It is raised within 15 s when there is no
            network; the message names what can be done without one.
        Fault: the disk has no room for it; nothing has been fetched then.

    """
    progress(f"Asking the hub for {hub_id}", None)
    from huggingface_hub import (  # noqa: PLC0415 -- see the module's docstring
        HfApi,
        snapshot_download,  # pyright: ignore[reportUnknownVariableType] a parameter of it is not fully typed
    )

    info = _within(
        _ANSWER_LIMIT_S,
        lambda: HfApi(endpoint=endpoint).model_info(hub_id, timeout=_ANSWER_LIMIT_S, files_metadata=True),
        hub_id,
    )
    check_room(hub_id, _to_come({file.rfilename: file.size or 0 for file in info.siblings or []}, into), into)
    try:
        snapshot_download(
            hub_id,
            revision=info.sha,
            local_dir=into,
            endpoint=endpoint,
            allow_patterns=list(_WANTED),
            ignore_patterns=list(_UNWANTED),
            tqdm_class=_bar_class(hub_id, progress),
        )
    except Exception as error:
        # The client raises errors of three libraries; each means that the files are not here.
        raise _failed(hub_id, error) from error


def _to_come(sizes: Mapping[str, int], into: Path) -> int:
    """Count the bytes of the wanted files that are not there yet."""
    from huggingface_hub.utils import filter_repo_objects  # noqa: PLC0415 -- see the module's docstring

    wanted = filter_repo_objects(sizes, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED))
    begun = sum(path.stat().st_size for path in into.glob(".cache/**/*.incomplete"))
    return max(0, sum(sizes[name] for name in wanted if not (into / name).is_file()) - begun)


def _within(limit_s: float, ask: Callable[[], _Answer], hub_id: str) -> _Answer:
    """Call in a thread, since name look-ups and proxies ignore the client's own time limits."""
    answers: list[_Answer] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:  # noqa: BLE001 -- handed to the caller, who translates it
            errors.append(error)

    thread = threading.Thread(target=run, name="hub", daemon=True)
    thread.start()
    thread.join(limit_s)
    if answers:
        return answers[0]
    error = errors[0] if errors else TimeoutError(f"no answer within {limit_s:.0f} s")
    raise _failed(hub_id, error) from error


def _bar_class(hub_id: str, progress: Progress) -> type[Any]:
    """Make the class that the client takes for progress bars. It draws nothing, and tells `progress` of counted bytes.

    The client counts the same bytes twice, as they come and as they are written, each in threads of its own.
    """
    from huggingface_hub.utils import tqdm  # noqa: PLC0415 -- see the module's docstring

    lock = threading.Lock()
    best = 0.0

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": True})
            self._counts_bytes = kwargs.get("unit") == "B"

        def update(self, n: float | None = 1) -> None:
            nonlocal best
            with lock:
                self.n += n or 0
                if self._counts_bytes and self.total and self.n / self.total > best:
                    best = min(1.0, self.n / self.total)
                    progress(f"Downloading {hub_id}", best)

    return Bar


def _failed(hub_id: str, error: Exception) -> Refused:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403, 404}:
        why = "the hub has no such repository, or it is gated and needs a token in HF_TOKEN"
    else:
        why = f"the hub can't be reached ({type(error).__name__})"
    return Refused(
        "model_not_found",
        f"{hub_id} can't be downloaded: {why}. Without it: put the model's folder into "
        f"models/{hub_id.rpartition('/')[2]}/ (mlx-pool models import PATH does), name one in MLX_MODEL_PATH, or use "
        "the default, smollm2-135m.",
        param="model",
    )
