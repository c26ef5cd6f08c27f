"""Finished models tested on other images: the command `python -m study.evaluate`."""
