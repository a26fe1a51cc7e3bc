import subprocess
import sys

from tests.patience import PATIENCE_S

ALLOCATING = """
import sys, threading
from streams.memory import share_arenas
if sys.argv[1] == "shared":
    print(share_arenas())
gate = threading.Barrier(13)
def allocate():
    kept = [bytearray(1000) for _ in range(3000)]
    gate.wait()
threads = [threading.Thread(target=allocate) for _ in range(12)]
for thread in threads:
    thread.start()
gate.wait()
maps = open("/proc/self/maps").read().splitlines()
sizes = [[int(end, 16) for end in line.split()[0].split("-")] for line in maps]
print(sum(end - start in range(1, 1 << 26) and start % (1 << 26) == 0 for start, end in sizes))
"""


def output_of(program: str, *arguments: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 - this interpreter, and our own program
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return done.stdout.split()


def test_threads_share_their_arenas_where_the_c_library_has_any() -> None:
    """An arena of a thread begins at a multiple of 64 MiB, of which it uses what it needs."""
    told, shared = output_of(ALLOCATING, "shared")
    [alone] = output_of(ALLOCATING, "alone")
    assert told == "False" or int(shared) < int(alone)


COLLECTING = """
import gc
from streams.memory import collect_seldom
collect_seldom()
class Node: pass
counts = [each["collections"] for each in gc.get_stats()]
for _ in range(300_000):
    node = Node()
    node.itself = node
print(*(each["collections"] - before for each, before in zip(gc.get_stats(), counts)))
"""


def test_what_is_young_is_still_collected_and_all_that_is_old_is_left_alone() -> None:
    young, middle_aged, old = map(int, output_of(COLLECTING))
    assert young > 100 * max(old, 1)
    assert middle_aged > 0
    assert old == 0
