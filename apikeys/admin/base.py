"""What the portal's own screens share: rights from apikeys.staff, history from the trail; writes nothing itself.

No screen here writes Django's log: the audit trail is the one truth. Nothing is deleted.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.forms import Media
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apikeys import staff

# What fits into a BigAutoField.
LONGEST_NUMBER = 18

# Django's classes take parameters for the type checker alone.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class PortalModelAdmin[Row: Model](_ModelAdmin):
    """A ModelAdmin that asks ``apikeys.staff`` about every row, in every list and on every page."""

    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    empty_value_display = ""
    page_template = ""
    # The only parameters that a list may be narrowed down by. Django's own rule would let any column be asked about
    # in an address, a digest character by character included.
    lookups: frozenset[str] = frozenset()

    def has_view_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may(request, "view", obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return self._may(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Row | None = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.lookups

    def visible_rows(self, request: HttpRequest) -> QuerySet[Row]:
        """Return the rows that the account may see; each screen names its function of apikeys.staff."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Row]:
        return self.visible_rows(request)

    def get_urls(self) -> list[URLPattern]:
        """Put the row's page where Django has an old address of its form."""
        *views, _ = super().get_urls()
        info = self.opts.app_label, self.opts.model_name
        page = path("<path:object_id>/", self.admin_site.admin_view(self.page_view), name="{}_{}_page".format(*info))
        return [*views, page]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        asked = request.POST.get("action", "")
        if asked and asked not in self.get_actions(request):
            # Django would show the list as if nobody had asked.
            raise PermissionDenied
        plural = str(self.opts.verbose_name_plural)
        title = plural[:1].upper() + plural[1:]
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def page_url(self, row: Row) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_page", args=[row.pk])

    def page_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show one row as it is."""
        row = self.visible_row(request, object_id)
        facts = {"title": str(row), "original": row} | self.page_context(request, row)
        return self.render(request, self.page_template, **facts)

    def visible_row(self, request: HttpRequest, object_id: str) -> Row:
        """Return the row of an address; raises Http404 for none, PermissionDenied for one that is not visible."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        return row

    def page_context(self, request: HttpRequest, row: Row) -> dict[str, Any]:
        """Return what the page of a row shows beside the row itself."""
        return {}

    def render(self, request: HttpRequest, template: str, **facts: Any) -> TemplateResponse:
        """Return a page of this screen, in the frame of the admin."""
        request.current_app = self.admin_site.name
        context = {**self.admin_site.each_context(request), "opts": self.opts, "media": Media()}
        return TemplateResponse(request, template, context | facts)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Row | None:
        """Return a visible row; one that exists and is not visible is forbidden, and so recorded, not merely absent."""
        row: Row | None = super().get_object(request, object_id, from_field)
        number = row_number(object_id)
        if row is None and number is not None and self.model.objects.filter(pk=number).exists():
            raise PermissionDenied
        return row

    def response_action(self, request: HttpRequest, queryset: QuerySet[Row], *args: Any, **kwargs: Any) -> Any:
        """Run an action on the rows that were ticked; a row that is not visible makes it forbidden as a whole."""
        ticked = {row_number(word) for word in request.POST.getlist(ACTION_CHECKBOX_NAME)}
        if self.get_queryset(request).filter(pk__in=ticked).count() != len(ticked):
            raise PermissionDenied
        return super().response_action(request, queryset, *args, **kwargs)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Lead to the row's events in the audit trail."""
        row = self.visible_row(request, object_id)
        return HttpResponseRedirect(f"{reverse('admin:apikeys_auditevent_changelist')}?{urlencode({'q': str(row)})}")

    def log_addition(self, request: HttpRequest, obj: Row, message: Any) -> Any:
        """Write nothing: the action wrote its event."""

    def log_change(self, request: HttpRequest, obj: Row, message: Any) -> Any:
        """Write nothing: the action wrote its event."""

    def _may(self, request: HttpRequest, verb: str, row: Row | None) -> bool:
        return staff.may(request.user, verb, self.model if row is None else row)


def row_number(text: str) -> int | None:
    """Return the number of a row in an address or a form; None for what no database takes for one."""
    return int(text) if text.isdecimal() and len(text) <= LONGEST_NUMBER else None
