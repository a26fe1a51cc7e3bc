import re
from pathlib import Path

import streams.dashboard
from models.alerts.reasons import KINDS

WORDS = Path(streams.dashboard.__file__).parent / "static" / "js" / "words.js"
OF_APPS_AND_SELLERS = {"misused_keys", "conduct", "rogue_fills", "devotion"}


def test_the_screen_has_words_for_every_reason_and_for_nothing_else() -> None:
    (table,) = re.findall(r"const FEATURES = \{(.*?)\};", WORDS.read_text(), re.DOTALL)
    assert set(re.findall(r"(\w+): \"", table)) == KINDS.keys() | OF_APPS_AND_SELLERS
