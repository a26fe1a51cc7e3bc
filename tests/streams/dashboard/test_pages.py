import re
from pathlib import Path

import pytest

from streams.dashboard.pages import STATIC

OWN = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".html", ".css"}]
SCRIPTS = [path for path in OWN if path.suffix == ".js" and "vendor" not in path.parts]
OTHERS = [path for path in OWN if path.suffix != ".js"]
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\b|new Function"
    r"|setTimeout\(\s*[\"'`]|srcdoc|createContextualFragment"
)


@pytest.mark.parametrize("path", [*SCRIPTS, *OTHERS], ids=lambda path: path.name)
def test_no_file_loads_anything_from_elsewhere(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|[\"'(]//", text)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_script_reads_text_as_markup_or_as_a_program(path: Path) -> None:
    assert not MARKUP.search(path.read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_every_import_leads_to_a_file(path: Path) -> None:
    for target in re.findall(r'from "([^"]+)"', path.read_text()):
        assert (path.parent / target).resolve().is_file(), target


def test_the_shell_holds_no_script_and_no_style_of_its_own() -> None:
    shell = (STATIC / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|\son\w+=", shell)


def test_the_library_comes_with_its_licence() -> None:
    assert "MIT" in (STATIC / "vendor/uplot/LICENSE").read_text()
    assert len(list((STATIC / "vendor/uplot").iterdir())) == 3


def test_the_library_asks_nobody_anything() -> None:
    text = (STATIC / "vendor/uplot/uPlot.esm.js").read_text()
    assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|EventSource|\bimport\b", text)
    assert not MARKUP.search(text)
