"""The words of a PDF, where they are and how large their type is."""

import re
import subprocess
from html import unescape
from pathlib import Path
from typing import NamedTuple

SEVEN_POINTS = 6.2
"""The height of numbers set in 7 pt."""


class Word(NamedTuple):
    """A word and its box in points, from the top left of its page."""

    left: float
    top: float
    right: float
    bottom: float
    text: str


def words(pdf: Path) -> list[Word]:
    """All words of a document, in the order of reading."""
    command = ["pdftotext", "-bbox", str(pdf), "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    boxes = re.findall(r'xMin="(\S+)" yMin="(\S+)" xMax="(\S+)" yMax="(\S+)">(.*)</word>', told)
    return [Word(*map(float, box), unescape(text)) for *box, text in boxes]


def sizes_of_numbers(pdf: Path) -> list[float]:
    """The height of each number such as 98.00, in points; on turned tables it is the narrow side of its box."""
    numbers = [word for word in words(pdf) if re.fullmatch(r"\d{2,3}\.\d\d", word.text)]
    return [min(word.right - word.left, word.bottom - word.top) for word in numbers]
