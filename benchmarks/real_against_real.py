"""What FID, KID and the rest say of real images: ``ganetics evaluate`` on 2,000 against 2,000 others of CIFAR-10.

    python benchmarks/real_against_real.py --data-dir DIR [--out results/real-against-real] [--n 2000]

Writes the two folders of PNG files to a temporary place and calls the command on them. No generator can be expected to
come below these figures at this n. (If the data are a lossy copy, the figures compare with others on that copy only.)
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ganetics.data import load
from ganetics.execution.process import environment
from ganetics.generation.sample import Samples, write_images
from ganetics.records import write_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("results/real-against-real"))
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--extractor", default="inception")
    given = parser.parse_args()
    images = load("cifar10", split="test", data_dir=given.data_dir).images
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("real", "fake")}
        for index, folder in enumerate(folders.values()):
            write_images(Samples(images[index * given.n : (index + 1) * given.n]), folder)
        options = ["--extractor", given.extractor, "--json"]
        for name, folder in folders.items():
            options += [f"--{name}", str(folder)]
        command = [sys.executable, "-m", "ganetics.cli.main", "evaluate", *options]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    result = {
        "data": "CIFAR-10, test split, two disjoint sets (lossy copy, JPEG quality 75)",
        "command": f"python benchmarks/real_against_real.py --data-dir DIR --n {given.n} --extractor {given.extractor}",
        "evaluation": found,
        "environment": environment(),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    write_json(given.out / "summary.json", result)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
