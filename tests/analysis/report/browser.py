"""What every page must hold to in a browser, whatever is open on it."""

from typing import Any


def violations(tab) -> list[dict[str, Any]]:
    """What axe finds that bars anyone from the page."""
    from axe_playwright_python.sync_playwright import Axe

    return Axe().run(tab).response["violations"]


def fits(tab) -> bool:
    """Whether neither the page nor a dialog on it scrolls sideways."""
    return tab.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && "
        "[...document.querySelectorAll('dialog')].every(one => one.scrollWidth <= one.clientWidth)"
    )


def navigable(tab) -> bool:
    """Whether no link of the navigation is beyond an edge."""
    return tab.evaluate(
        "[...document.querySelectorAll('nav a')].map(one => one.getBoundingClientRect())"
        ".every(box => box.left >= 0 && box.right <= document.querySelector('nav ul').getBoundingClientRect().right)"
    )
