"""Plain text as LaTeX that pdflatex can typeset."""

import re
import unicodedata
from collections.abc import Iterable

from analysis.tables.fill import TICK, TIED, WORSE_NETWORK
from wbc_model.plain_text import printable

_SMALL = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi pi rho sigma tau upsilon phi chi psi omega"
)
_CAPITALS = "gamma delta theta lamda xi pi sigma upsilon phi psi omega"
"""Of Greek, those that do not look like a Latin letter."""
_MATHS = {
    "±": r"\pm", "×": r"\times", "÷": r"\div", "−": "-", "·": r"\cdot", "∙": r"\cdot", "√": r"\surd",
    "≤": r"\leq", "≥": r"\geq", "≠": r"\neq", "≈": r"\approx", "≡": r"\equiv", "∼": r"\sim", "∝": r"\propto",
    "→": r"\rightarrow", "←": r"\leftarrow", "↔": r"\leftrightarrow", "↑": r"\uparrow", "↓": r"\downarrow",
    "⇒": r"\Rightarrow", "∞": r"\infty", "∈": r"\in", "∉": r"\notin", "∅": r"\emptyset", "∩": r"\cap", "∪": r"\cup",
    "∑": r"\sum", "∏": r"\prod", "∂": r"\partial", "∆": r"\Delta", "∇": r"\nabla", "°": r"^\circ", "′": "'",
    "µ": r"\mu", "ς": r"\varsigma", "ϵ": r"\epsilon", "ϕ": r"\phi", "ϑ": r"\vartheta", "ℓ": r"\ell",
    TIED: r"\dagger", WORSE_NETWORK: r"\ddagger",
}  # fmt: skip
_SIGNS = {
    "\u00a0": "~", "‐": "-", "‑": "-", "–": "--", "—": "---", "‘": "`", "’": "'", "“": "``", "”": "''",
    "…": r"\ldots{}", "•": r"\textbullet{}", "‰": r"\textperthousand{}", "€": r"\texteuro{}",
    "™": r"\texttrademark{}", TICK: r"\checkmark{}",
}  # fmt: skip
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉₊₋", "0123456789+-", strict=True))


def _greek(names: Iterable[str], size: str) -> dict[str, str]:
    """By letter, its command: `\\lambda` for the letter that Unicode calls lamda."""
    commands = {name: "\\" + name.replace("lamda", "lambda") for name in names}
    if size == "CAPITAL":
        commands = {name: f"\\{command[1:].capitalize()}" for name, command in commands.items()}
    return {unicodedata.lookup(f"GREEK {size} LETTER {name}"): command for name, command in commands.items()}


_FORMULAE = (
    _greek(_SMALL.split(), "SMALL")
    | _greek(_CAPITALS.split(), "CAPITAL")
    | _MATHS
    | {sign: f"^{{{digit}}}" for sign, digit in _RAISED.items()}
    | {sign: f"_{{{digit}}}" for sign, digit in _LOWERED.items()}
)
_NOTHING = "\0"
"""Between two hyphens, which would be joined to a dash; `printable` leaves none in a text."""
ESCAPES = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"}
    | {"[": "{[}", "*": "{*}"}  # at the start of a row, they would belong to the line break before
    | {sign: f"${command}$" for sign, command in _FORMULAE.items()}
    | _SIGNS
    | {_NOTHING: "{}"}
)
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
"""Combining marks that pdflatex's default fonts can set over a Latin letter."""
_LETTERS = frozenset("ßæÆøØœŒłŁı¡¿§¶©®£")


def escape(text: str) -> str:
    """Plain text as LaTeX; hyphens beside each other stay hyphens."""
    shown = printable(unicodedata.normalize("NFC", text))
    return re.sub("-(?=-)", f"-{_NOTHING}", shown).translate(ESCAPES)


def untypesettable(text: str) -> str:
    """Those characters of a text, each once, that pdflatex's default fonts do not have."""
    shown = printable(unicodedata.normalize("NFC", text))
    return "".join(sign for sign in dict.fromkeys(shown) if not _typesettable(sign))


def _typesettable(sign: str) -> bool:
    base, *marks = unicodedata.normalize("NFD", sign)
    accented = base.isascii() and base.isalpha() and len(marks) == 1 and marks[0] in _ACCENTS
    return sign.isascii() or ord(sign) in ESCAPES or sign in _LETTERS or accented
