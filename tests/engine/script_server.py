"""Runs scripts in children forked from one process that has imported torch and run nothing.

Each line that comes in is a script's path; the script runs in its folder with its output going to
`out.txt` beside it, and the line that goes out is its exit status. A fresh interpreter would print
the same and take seconds for every script.
"""

import os
import runpy
import sys
import traceback

import torch
import torch._dynamo  # the first optimizer would import it, in every child

import interactive_training.data  # noqa: F401


def run_script(path: str) -> None:
    """What the child does; it never returns to the server's loop."""
    status = 1
    try:
        os.chdir(os.path.dirname(path))
        with open("out.txt", "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        runpy.run_path(path, run_name="__main__")
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    torch.set_num_threads(1)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run_script(line.strip())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


main()
