"""The page that tells the truth about gain and loss: one document, shown as HTML, model card and terminal panel.

:mod:`tutelage.report.document` holds the facts; :mod:`~tutelage.report.html`, :mod:`~tutelage.report.card` and
:mod:`~tutelage.report.terminal` show them. Import these by name: the page draws with matplotlib, the others do not.
"""
