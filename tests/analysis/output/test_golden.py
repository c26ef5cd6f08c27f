"""Whole tables as LaTeX, once looked at on paper. To approve a change: look at the pages, then copy the new file."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analysis.output.latex import document, render
from analysis.output.pdf import compile_pdf
from analysis.output.references import BIB
from analysis.stats.evidence import gather
from analysis.stats.predictions import PredictionLookup
from analysis.tables.fill import fill
from analysis.tables.layout import lay_out
from search_spaces.paper import PROPOSED, TABLES
from tests.analysis.simulated import Simulation
from tests.analysis.type_sizes import SEVEN_POINTS, sizes_of_numbers

GOLDEN = Path(__file__).parent / "golden"
NUMBERS = ("5", "8", "10")


def rendered(number: str) -> str:
    """A table of drawn trials: the last row has one seed of two, the first is missing."""
    (table,) = (table for table in TABLES if table.number == number)
    simulation = Simulation((42, 208, 95, 600, 700), seed=int(number))
    _, *others, last = table.rows.values()
    trials = [*((config, seed) for config in others for seed in (0, 1)), (last, 0)]
    records = [simulation.trial(config, seed, worse=0.02 * (config != PROPOSED)) for config, seed in trials]
    evidence = gather(fill(table, records, seeds=(0, 1)), PredictionLookup(simulation.predictions.get, {}))
    return render(lay_out(evidence.filled))


@pytest.mark.parametrize("number", NUMBERS)
def test_a_table_is_as_approved(number, tmp_path):
    fresh = tmp_path / f"table_{number}.tex"
    fresh.write_text(rendered(number), encoding="utf-8")
    approved = GOLDEN / fresh.name
    assert fresh.read_text(encoding="utf-8") == approved.read_text(encoding="utf-8"), f"compare {fresh} with {approved}"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_the_approved_tables_compile(tmp_path):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tables.tex").write_text(document(NUMBERS), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "tables.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert not re.findall(r"(?:Over|Under)full.*", (tmp_path / "tables.log").read_text(errors="replace"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_in_two_columns_a_wide_table_spans_the_page_and_keeps_its_size(tmp_path):
    for file in GOLDEN.glob("*.tex"):
        without_notes = re.sub(
            r"(?<=\\raggedright\n).*?(?=\\end{minipage})", "", file.read_text("utf-8"), flags=re.DOTALL
        )
        (tmp_path / file.name).write_text(without_notes, encoding="utf-8")  # whose numbers are in smaller type
    (tmp_path / "tables.tex").write_text(document(NUMBERS).replace("a4paper", "a4paper,twocolumn"), encoding="utf-8")
    assert not compile_pdf(tmp_path / "tables.tex").refused
    sizes = sizes_of_numbers(tmp_path / "tables.pdf")
    assert len(sizes) > 80
    assert min(sizes) > SEVEN_POINTS * 9 / 7 - 0.1


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bibtex") is None, reason="bibtex is not installed")
def test_rows_cite_the_articles_of_their_methods_unless_that_is_switched_off(tmp_path):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    (tmp_path / "references.bib").write_text(BIB, encoding="utf-8")
    off = document(NUMBERS)
    cited = r"\bibliographystyle{plain}\bibliography{references}\end{document}"
    on = off.replace(r"\newcommand{\methodcite}", r"% \newcommand{\methodcite}").replace(r"\end{document}", cited)
    for name, text in {"off": off, "on": on}.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
        for command in ("pdflatex -halt-on-error", "bibtex" if name == "on" else "true", "pdflatex", "pdflatex"):
            subprocess.run([*command.split(), name], cwd=tmp_path, capture_output=True, check=True)
        subprocess.run(["pdftotext", "-layout", f"{name}.pdf"], cwd=tmp_path, check=True)
    printed = {name: (tmp_path / f"{name}.txt").read_text() for name in ("off", "on")}
    assert "undefined" not in (tmp_path / "on.log").read_text(errors="replace")
    assert "\\cite" not in printed["off"] + printed["on"]
    assert len(re.findall(r"^ *\[\d\] ", printed["on"], re.MULTILINE)) == BIB.count("@")
    for method in ("ResNet", "Sharma", "SE", "SAM \\+ CAM \\(SCAM\\)"):
        assert re.search(rf"{method} \[\d\]", printed["on"])
        assert re.search(method, printed["off"])
    assert not re.search(r"\[[\d?]\]", printed["off"])
