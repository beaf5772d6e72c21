"""Pages of lists by cursor: a list stays whole while rows are added. Decides nothing about which rows."""

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

SIZE, MAXIMUM_SIZE = 50, 200
# What fits into a BigAutoField.
LONGEST_NUMBER = 18


class NewestFirst(CursorPagination):
    """``{results, next, previous}``, and the same two addresses in ``Link`` (RFC 8288)."""

    ordering: str | tuple[str, ...] = "-pk"
    page_size = SIZE
    page_size_query_param = "page_size"
    max_page_size = MAXIMUM_SIZE
    template = None
    invalid_cursor_message = "This list has no page of that cursor."

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return the cursor; raises NotFound for one that this list has not made."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not self.is_position(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def is_position(self, text: str) -> bool:
        """Return whether a text is a place in the order of the list; callers can write what they want into a cursor."""
        return text.isdecimal() and len(text) <= LONGEST_NUMBER

    def get_paginated_response(self, data: Any) -> Response:
        document = {"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        return Response(document, headers=self.links())

    def links(self) -> dict[str, str]:
        found = {"next": self.get_next_link(), "prev": self.get_previous_link()}
        text = ", ".join(f'<{address}>; rel="{word}"' for word, address in found.items() if address)
        return {"Link": text} if text else {}

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        address = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": address, "previous": address},
        }


class OldestFirst(NewestFirst):
    """For lists that are looked through by name."""

    ordering = "pk"
