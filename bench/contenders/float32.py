"""`python -m bench.contenders.float32 --model FOLDER --into FOLDER`: the weights as our engine computes on them.

On a CPU the engine makes them float32 where memory allows, many times faster there. Servers that load what they are
given get a copy in that form, or they would be measured by their arithmetic and not by what they do. Prints the folder:
`--into`, or on a GPU the model's own.
"""

import argparse
import json
import shutil
from pathlib import Path

from worker.engine.load import load_model

_WEIGHTS = {".safetensors"}
_INDEX = "model.safetensors.index.json"
_ABOUT_QUANTIZATION = ("quantization", "quantization_config")


def main() -> None:
    """Write the copy."""
    parser = argparse.ArgumentParser(prog="python -m bench.contenders.float32")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    flags = parser.parse_args()
    from worker.engine.load.device import device  # noqa: PLC0415 it brings mlx

    _, is_cpu = device()
    if is_cpu:
        _copy(flags.model, flags.into)
    print(flags.into if is_cpu else flags.model)


def _copy(model: Path, into: Path) -> None:
    from mlx_lm.utils import save_model  # noqa: PLC0415 likewise

    loaded = load_model(model, progress=lambda _message, _progress: None)
    save_model(into, loaded.model)
    for file in model.iterdir():
        if file.is_file() and file.suffix not in _WEIGHTS and file.name not in {_INDEX, "config.json"}:
            shutil.copy(file, into)
    config = json.loads((model / "config.json").read_text())
    plain = {key: value for key, value in config.items() if key not in _ABOUT_QUANTIZATION}
    (into / "config.json").write_text(json.dumps(plain))


if __name__ == "__main__":
    main()
