import subprocess
import sys

import numpy as np
import pytest

from models.orders.decode import decode
from streams.worker.compiling import EVENTS
from tests.factories import NOW_MS
from tests.streams.conftest import Trained

# Prints the large kernels that a tape needs beyond those that were compiled before it.
PROGRAM = """
import sys
from pathlib import Path
from streams.kernel_cache import use_fresh_kernels
use_fresh_kernels()
from numba.core.dispatcher import Dispatcher
from models.detector import Detector
from models.score.model import Model
from streams.worker.compiling import compile_kernels
from streams.tapes.intake import Intake
import numpy as np
from models.alerts.stage import AlertStage
from models.keys.stage import KeyStage
from models.market.stage import MarketStage
from models.rows import Rows
from streams.worker.row_frames import Word, pack_rows, unseal

def compiled():
    return {
        (name, kernel.__name__, signature)
        for name, module in list(sys.modules.items()) if name.startswith("models")
        for kernel in vars(module).values() if isinstance(kernel, Dispatcher)
        for signature in kernel.signatures
    }

model = Model.load(Path(sys.argv[1]))
compile_kernels(model)
before = compiled()
assert before
detector = Detector(model)
alerts = []
for batch in Intake().read([Path(sys.argv[2])]):
    alerts += detector.observe(batch)
assert alerts + detector.idle()
word, both = Word(0, (0,)), []
for count in (1, 2, len(batch)):
    rows = MarketStage().observe(batch.take(np.arange(count)))
    [frame] = pack_rows(rows, word)
    both.append(unseal(frame).rows())
    fills = KeyStage(model.scale).assess(both[-1])
    fills.told["odds"] = 9.0
    [frame] = pack_rows(fills, word)
    AlertStage(model).judge(unseal(frame).rows())
KeyStage(model.scale).assess(Rows.concat(both))
small = {"_index", "decay"}  # where tables grow, and what others hold already: a moment each
offline = {"assess_freely", "observe_freely"}  # around kernels that are compiled: no worker's
print(sorted({kernel for _, kernel, _ in compiled() - before} - small - offline))
"""


def test_the_events_to_compile_with_are_let_in() -> None:
    decoded = decode(EVENTS, partition=0, offsets=np.arange(len(EVENTS)), now_ms=NOW_MS)
    assert decoded.refusals == []
    assert decoded.batch.is_fill.all()


@pytest.mark.slow
def test_a_tape_needs_no_large_kernel_that_was_not_compiled_before(trained: Trained) -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", PROGRAM, str(trained.model_dir), str(trained.tape)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
