"""What a hub must carry for each student: memory, CPU and messages of a kernel with one lab.

    python benchmarks/hub.py

One kernel with TrainingLab("digits") and a page that acknowledges its frames (`live_lab.py`): at
60 steps a second, at full speed, with the page gone, and paused. CPU is a share of one core.
Bytes are what the kernel sends, before the hub's own wrapping. Memory is resident and, beside it,
proportional: pages that kernels on one machine share count once. Linux only.
"""

import time
from typing import Any

import psutil
from live_lab import Page, kernel

SECONDS = 5.0
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
    """Print a line for each state."""
    with kernel(watched=Counted) as made:
        page, process = made.page, psutil.Process(made.manager.provisioner.pid)
        made.ask("0", "import live_lab; lab = live_lab.shown()")

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

        state("60 steps/s", "lab.session.put('pace', '60'); lab.session.put('play')")
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
