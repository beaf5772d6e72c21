"""A request's header fields by name, each read when it is asked for; judges none.

``request.headers`` reads all of them first, which on every call costs more than the few that are asked for.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, overload

from django.http.request import HttpHeaders


class Fields(Mapping[str, str]):
    """What ``HttpRequest.headers`` is for a request's environ (WSGI, PEP 3333), and always as that is now."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        value: str = self._environ[_variable(name)]
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _variable(name) in self._environ

    @overload
    def get(self, name: str, /) -> str | None: ...
    @overload
    def get[T](self, name: str, default: str | T, /) -> str | T: ...
    def get(self, name: str, default: Any = None, /) -> Any:
        return self._environ.get(_variable(name), default)

    def __iter__(self) -> Iterator[str]:
        return (name for name in HttpHeaders(self._environ) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@lru_cache(maxsize=256)
def _variable(name: str) -> str:
    return HttpHeaders.to_wsgi_name(name)
