"""Compile LaTeX to PDF, if a compiler is installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

COMPILER = "pdflatex"
INSTALL = "Debian: apt-get install texlive-latex-recommended texlive-latex-extra"


class Outcome(NamedTuple):
    """What became of a document."""

    told: str
    """A line for the terminal."""
    refused: bool = False
    """Whether the compiler is installed and made no PDF."""


def compile_pdf(tex: Path) -> Outcome:
    """Compile a document beside its inputs, leaving no auxiliary files."""
    tex.with_suffix(".pdf").unlink(missing_ok=True)  # it may be another study's
    if shutil.which(COMPILER) is None:
        return Outcome(f"{tex.stem}.pdf: not made, because {COMPILER} is missing ({INSTALL})")
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # the second time with references
            options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", f"-output-directory={folder}"]
            command = [COMPILER, *options, tex.name]
            done = subprocess.run(
                command, cwd=tex.parent, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode:
                error = next((line for line in done.stdout.splitlines() if line.startswith("!")), done.stdout[-200:])
                return Outcome(f"{tex.stem}.pdf: not made; {COMPILER} says: {error}", refused=True)
        shutil.move(Path(folder) / f"{tex.stem}.pdf", tex.with_suffix(".pdf"))
    return Outcome(f"{tex.stem}.pdf: all tables")
