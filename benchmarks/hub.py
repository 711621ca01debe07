"""What a hub must carry for each student: memory, CPU and messages of a kernel with one lab.

    python benchmarks/hub.py

One kernel with TrainingLab("digits") and a page that acknowledges its frames (`live_lab.py`): at
60 steps a second, at full speed, with the page gone, and paused. CPU is a share of one core.
Bytes are what the kernel sends, before the hub's own wrapping. Memory is resident and, beside it,
proportional: pages that kernels on one machine share count once.

Then a class: 30 such kernels at once, of which 10 run at 60 steps a second while the others are
read. It takes 10 GB of memory and some minutes. Linux only.
"""

import time
from contextlib import ExitStack
from typing import Any

import psutil
from live_lab import Page, kernel

SECONDS = 5.0
STUDENTS, RUNNING = 30, 10
LAB = "import live_lab; lab = live_lab.shown()"
RUN = "lab.session.put('pace', '60'); lab.session.put('play')"
GONE = 8.0, 60.0  # the figures fall silent 5 s after the last answer, the lab pauses after a minute


class Counted(Page):
    """A page that also counts bytes, and can look away."""

    def __init__(self, client: Any) -> None:
        super().__init__(client)
        self.size = 0
        self.looks = True

    def _read(self, message: dict[str, Any]) -> None:
        if message["msg_type"] in ("comm_open", "comm_msg"):
            self.size += len(str(message["content"])) + sum(map(len, message["buffers"]))
        super()._read(message)

    def _tell(self, comm: str, content: dict[str, Any]) -> None:
        if self.looks:
            super()._tell(comm, content)


def main() -> None:
    """Print a line for each state of one student, then for a class."""
    alone()
    together()


def together() -> None:
    """A class on one machine: memory of all kernels, then what the running ones need."""
    with ExitStack() as opened:
        class_ = [opened.enter_context(kernel(watched=Counted)) for _ in range(STUDENTS)]
        processes = [psutil.Process(made.manager.provisioner.pid) for made in class_]
        for made in class_:
            made.ask("0", LAB)
        memory = sum(process.memory_full_info().pss for process in processes) / 1e9
        print(f"{STUDENTS} kernels with a lab: {memory:.1f} GB", flush=True)
        for made in class_[:RUNNING]:
            made.ask("0", RUN)
        time.sleep(1)

        def used() -> tuple[float, int, int, list[int]]:
            cpu = sum(sum(process.cpu_times()[:2]) for process in processes)
            pages = [made.page for made in class_]
            steps = [made.ask("lab.run.index") for made in class_[:RUNNING]]
            return cpu, sum(p.messages for p in pages), sum(p.size for p in pages), steps

        begin, before = time.perf_counter(), used()
        time.sleep(2 * SECONDS)
        after, took = used(), time.perf_counter() - begin
        cpu, messages, size = ((b - a) / took for a, b in zip(before[:3], after[:3], strict=True))
        slowest = min(b - a for a, b in zip(before[3], after[3], strict=True)) / took
        print(
            f"{RUNNING} of them run: CPU {cpu:.2f}  {messages:.0f} messages/s  "
            f"{size / 1024:.0f} KiB/s, the slowest at {slowest:.0f} steps/s"
        )


def alone() -> None:
    """A line for each state of one kernel."""
    with kernel(watched=Counted) as made:
        page, process = made.page, psutil.Process(made.manager.provisioner.pid)
        made.ask("0", LAB)

        def state(what: str, setup: str) -> None:
            made.ask("0", setup)
            time.sleep(1)
            cpu, messages, size = sum(process.cpu_times()[:2]), page.messages, page.size
            begin = time.perf_counter()
            time.sleep(SECONDS)
            took = time.perf_counter() - begin
            cpu = (sum(process.cpu_times()[:2]) - cpu) / took
            rate, kib = (page.messages - messages) / took, (page.size - size) / took / 1024
            print(f"{what:24} CPU {cpu:5.2f}  {rate:5.1f} messages/s  {kib:6.1f} KiB/s", flush=True)

        state("60 steps/s", RUN)
        state("full speed", "lab.session.put('pace', 'full')")
        page.looks = False
        for seconds in GONE:
            time.sleep(seconds)
            state(f"page gone for {seconds:.0f} s more", "")
        page.looks = True
        state("paused", "lab.session.put('pause')")
        memory = process.memory_full_info()
        print(f"memory: {memory.rss / 1e6:.0f} MB, proportional {memory.pss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
