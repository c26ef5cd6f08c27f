"""Compile LaTeX to PDF, if a compiler is installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

COMPILER = "pdflatex"
INSTALL = "Debian: apt-get install texlive-latex-recommended texlive-latex-extra"


def compile_pdf(tex: Path) -> str:
    """Compile a document beside its inputs, leaving no auxiliary files; returns a line that states the outcome."""
    tex.with_suffix(".pdf").unlink(missing_ok=True)  # it may be another study's
    if shutil.which(COMPILER) is None:
        return f"{tex.stem}.pdf: not made, because {COMPILER} is missing ({INSTALL})"
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(2):  # the second time with references
            command = [COMPILER, "-interaction=nonstopmode", "-halt-on-error", f"-output-directory={folder}", tex.name]
            done = subprocess.run(
                command, cwd=tex.parent, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode:
                error = next((line for line in done.stdout.splitlines() if line.startswith("!")), done.stdout[-200:])
                return f"{tex.stem}.pdf: not made; {COMPILER} says: {error}"
        shutil.move(Path(folder) / f"{tex.stem}.pdf", tex.with_suffix(".pdf"))
    return f"{tex.stem}.pdf: all tables"
