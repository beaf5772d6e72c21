"""The screens of accounts and groups: Django's own, for superusers alone, with every change noted in the trail.

Whoever edits accounts can make itself anything, so no group opens these screens. An account is deactivated and not
deleted: the trail goes on naming it.
"""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apikeys import staff, trail
from apikeys.site import actor_of

# Their screens are for superusers, or there are none.
WITHOUT_MEANING = ("admin", "auth", "contenttypes", "sessions")

admin.site.unregister([User, Group])


class NotedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For superusers; notes what differs before and after a change."""

    noun = ""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def facts(self, row: Any) -> dict[str, Any]:
        """Return what the trail keeps of a row: never a password, not even its digest."""
        raise NotImplementedError

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        # Before a form fills the row in.
        request.facts_before = self.facts(row) if row is not None else {}  # type: ignore[attr-defined]
        return row

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        self._note(request, f"{self.noun}_created", str(obj), {}, self.facts(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        before: dict[str, Any] = request.facts_before  # type: ignore[attr-defined]
        after = self.facts(self.model.objects.get(pk=obj.pk))
        changed = {word for word in after if after[word] != before.get(word)}
        fields = [
            name for part in message if isinstance(part, dict) for name in part.get("changed", {}).get("fields", [])
        ]
        self._note(
            request,
            f"{self.noun}_changed",
            str(obj),
            {word: before.get(word) for word in changed},
            {word: after[word] for word in changed} | {"fields": fields},
        )

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Lead to the row's events in the audit trail."""
        row = self.get_object(request, object_id)
        if row is None or not self.has_view_permission(request, row):
            raise PermissionDenied
        return HttpResponseRedirect(f"{reverse('admin:apikeys_auditevent_changelist')}?{urlencode({'q': str(row)})}")

    def _note(self, request: HttpRequest, action: str, name: str, before: Any, after: Any) -> None:
        trail.record_account_change(action=action, name=name, before=before, after=after, actor=actor_of(request))


@admin.register(User)
class AccountAdmin(NotedAdmin, UserAdmin):  # type: ignore[type-arg]
    noun = "account"
    list_display = ("username", "email", "is_active", "is_staff", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    filter_horizontal = ()
    # No single permissions: what somebody may do is what the groups say.
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("What the account may do", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
    )

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer the few groups as boxes to tick."""
        return super().formfield_for_manytomany(db_field, request, widget=forms.CheckboxSelectMultiple, **kwargs)

    def facts(self, row: User) -> dict[str, Any]:
        names = ("is_active", "is_staff", "is_superuser", "email")
        permissions = row.user_permissions.values_list("codename", flat=True)
        groups = row.groups.values_list("name", flat=True)
        return {
            **{name: getattr(row, name) for name in names},
            "groups": sorted(groups),
            "permissions": sorted(permissions),
        }


@admin.register(Group)
class RoleAdmin(NotedAdmin, GroupAdmin):
    noun = "group"
    filter_horizontal = ()

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **kwargs: Any) -> Any:
        """Offer the permissions that mean something here, as boxes to tick."""
        ours = Permission.objects.exclude(content_type__app_label__in=WITHOUT_MEANING)
        offered = ours.exclude(~Q(codename__in=staff.CODENAMES), content_type__app_label="apikeys")
        more = {"queryset": offered.order_by("name"), "widget": forms.CheckboxSelectMultiple}
        field: Any = super().formfield_for_manytomany(db_field, request, **more, **kwargs)
        field.label_from_instance = lambda permission: permission.name
        return field

    def facts(self, row: Group) -> dict[str, Any]:
        return {"permissions": sorted(row.permissions.values_list("codename", flat=True))}
