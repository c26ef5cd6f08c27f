"""The templates of this folder, which escape every value that is put into them."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from wbc_model.plain_text import printable

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: printable(value) if type(value) is str else value,  # not markup, which is escaped already
)
TEMPLATES.policies["json.dumps_kwargs"] = {}  # keys as they come: cell types keep their order
