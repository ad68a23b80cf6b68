"""Processes pinned to a core, and what the kernel says they used (Linux: /proc)."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.load import Address

ROOT = Path(__file__).resolve().parent.parent
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
READY_S = 60.0
STOP_S = 30.0


class Cores:
    """The server has one core to itself; load and database share another."""

    def __init__(self) -> None:
        usable = sorted(os.sched_getaffinity(0))
        self.server, self.load = usable[0], usable[-1]


def environment() -> dict[str, str]:
    """This process's environment, with this checkout importable after whatever PYTHONPATH already names."""
    path = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*path, str(ROOT / "src"), str(ROOT)])}


@contextmanager
def pinned(
    command: Sequence[str],
    core: int,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    stop_with: signal.Signals = signal.SIGTERM,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `command` on `core`, its output in `log`; stop it by its handle on the way out."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            user=user,
            cwd=log.parent,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
    try:
        yield process
    finally:
        process.send_signal(stop_with)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_address() -> Address:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return Address("127.0.0.1", probe.getsockname()[1])


async def until_ready(process: subprocess.Popen[bytes], address: Address, log: Path) -> None:
    """Wait for `/readyz` to say 200. Raises RuntimeError with the log's end if the process dies or dawdles."""
    for _ in range(int(READY_S / 0.1)):
        if process.poll() is not None:
            break
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")
            status = await reader.readline()
            writer.close()
            if b" 200 " in status:
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError(f"{process.args!r} was not ready (exit {process.poll()}):\n{ending(log)}")


def ending(log: Path) -> str:
    """The last of what a process wrote."""
    return log.read_text(errors="replace")[-4000:]


def tree(pid: int) -> list[int]:
    """`pid` and all its living descendants."""
    found = [pid]
    for parent in found:
        for listed in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(int(child) for child in listed.read_text().split())
            except OSError:
                continue
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds of the tree under `pid` so far, those of its children that ended included."""
    ticks = 0
    for position, member in enumerate(tree(pid)):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        # proc_pid_stat(5): utime, stime, cutime, cstime are fields 14 to 17; what follows the name begins at 3.
        ticks += sum(int(field) for field in fields[11 : 15 if position == 0 else 13])
    return ticks / TICKS_PER_S


def memory_mib(pid: int) -> dict[str, float]:
    """Resident memory of the tree under `pid`: now (`rss`) and at its highest (`peak`)."""
    total = {"rss": 0.0, "peak": 0.0}
    names = {"VmRSS:": "rss", "VmHWM:": "peak"}
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, *rest = line.split()
            if name in names:
                total[names[name]] += int(rest[0]) / 1024
    return total
