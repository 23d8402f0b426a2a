"""Another process, for tests of what two of them share."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def another(code: str, *args: object) -> Iterator[subprocess.Popen[str]]:
    """Run Python code in a process of its own, from its first printed line until the block ends.

    Args:
        code: it imports sys and prints a line when it is ready; then it waits.
        args: its `sys.argv[1:]`.

    Yields:
        The process; `.ready` is the line it printed.
    """
    command = [sys.executable, "-c", code + "\nsys.stdin.read()", *map(str, args)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            process.ready = process.stdout.readline().strip()
            yield process
        finally:
            process.kill()


def holding(folder: Path):
    """A process that has a folder's lock."""
    return another(
        "import sys; from pathlib import Path; from requery.lock import acquire\n"
        "acquire(Path(sys.argv[1])); print('held', flush=True)",
        folder,
    )
