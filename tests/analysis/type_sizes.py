"""The size of the type in a PDF."""

import re
import subprocess
from pathlib import Path

SEVEN_POINTS = 6.2
"""The height of numbers set in 7 pt."""


def sizes_of_numbers(pdf: Path) -> list[float]:
    """The height of each number such as 98.00, in points; on turned tables it is the narrow side of its box."""
    command = ["pdftotext", "-bbox", str(pdf), "-"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    boxes = re.findall(r'xMin="(\S+)" yMin="(\S+)" xMax="(\S+)" yMax="(\S+)">\d{2,3}\.\d\d<', told)
    return [min(right - left, low - high) for left, high, right, low in (map(float, box) for box in boxes)]
