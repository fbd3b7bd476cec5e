"""The local page over the library of papers, the evidence and the store: read only, loopback, no JavaScript needed.

Rows of use: :mod:`~tutelage.web.reading` and :mod:`~tutelage.web.run_reading` are all that know where things come
from; :mod:`~tutelage.web.paper_pages` and :mod:`~tutelage.web.run_pages` answer addresses; :mod:`~tutelage.web.guard`
stands before everything.
"""

from tutelage.web.app import create_app

__all__ = ["create_app"]
