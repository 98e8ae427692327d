"""How many copies of a data set's pictures a machine holds while several processes train on them (Linux).

    python benchmarks/resident.py [--processes 4] [--images 50000] [--repetitions 3]

Each process takes 32x32 pictures through `lta.data.resident` (as `data=cifar10` does with the official files), cuts
validation from them, reads every batch once and stays. Counted is its share of the memory that it has more than before
(Pss: pages that several processes have are divided among them), in units of the pictures' size. `off` has no cache.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from measuring import Results, arguments, run

from lta import checks


def share() -> int:
    """Bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def child(images: int, folder: str) -> None:
    from lta.data.batches import EpochBatches, Split, batch_loader
    from lta.data.resident import share_images
    from lta.data.splits import cut_val

    before = share()
    pictures = np.random.default_rng(0).integers(0, 256, (images, 32, 32, 3), np.uint8)
    whole = Split(share_images(pictures, "pictures", Path(folder) if folder else None), np.arange(images) % 10)
    del pictures
    for split in cut_val(whole, images // 10, 0):
        for _ in batch_loader(split, EpochBatches(len(split.labels), 128, shuffle=True)):
            pass
    print("read", flush=True)
    input()
    print(share() - before, flush=True)
    input()


def copies(processes: int, images: int, folder: str) -> float:
    command = [sys.executable, __file__, "--child", str(images), folder]
    started = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(processes)]
    for process in started:
        process.stdout.readline()
    held = []
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
        held.append(int(process.stdout.readline()))
    for process in started:
        process.communicate("\n")
    return sum(held) / (images * 32 * 32 * 3)


def main():
    parser = arguments(__doc__, repetitions=3)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--images", type=int, default=50_000)
    options = parser.parse_args()
    for name in ("processes", "images"):
        checks.require_whole_number(f"--{name}", getattr(options, name), least=1)
    results = Results(options, f"{options.images} pictures, {options.processes} processes")
    with tempfile.TemporaryDirectory() as folder:
        for name, where, bar in (("memory-mapped", folder, 1.2), ("off", "", None)):
            found = [copies(options.processes, options.images, where) for _ in range(options.repetitions)]
            results.figure(f"{name}: copies of the pictures", found, "copies", at_most=bar)
    results.save()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(int(sys.argv[2]), sys.argv[3])
    else:
        run(main)
