"""Parts of the choice items, for the subtasks of a group."""


def space(rows):
    return rows.filter(lambda row: row["topic"] in ("space", "places", "shapes"))


def matter(rows):
    return rows.filter(lambda row: row["topic"] in ("matter", "life"))
