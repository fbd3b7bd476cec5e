"""The papers: what each one says and claims in our own words, and what there is for it here. Loads no torch.

To add a paper, add ``entries/<slug>.toml``; any of the files there is an example.
"""

from tutelage.papers.catalogue.entry_file import Entry
from tutelage.papers.catalogue.families import FAMILIES
from tutelage.papers.catalogue.loading import entries, entry, read_catalogue
from tutelage.papers.catalogue.relation import related
from tutelage.papers.catalogue.states import State, evidence_folder, recipe_slugs, state

__all__ = [
    "FAMILIES",
    "Entry",
    "State",
    "entries",
    "entry",
    "evidence_folder",
    "read_catalogue",
    "recipe_slugs",
    "related",
    "state",
]
