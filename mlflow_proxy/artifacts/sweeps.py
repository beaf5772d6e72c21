"""Ends the uploads that nobody will end: those of a killed portal or a caller who never completed."""

import datetime

from mlflow_proxy.artifacts import stores

OLDER_THAN = datetime.timedelta(hours=24)


def sweep(older_than: datetime.timedelta = OLDER_THAN, *, is_dry: bool = False) -> list[stores.Leftover]:
    """Remove the leftovers of uploads that began longer ago than ``older_than``, and return them; none is an artifact.

    Raises the errors of mlflow_proxy.exceptions.
    """
    found = list(stores.current().leftovers(older_than))
    for leftover in found if not is_dry else ():
        leftover.remove()
    return found
