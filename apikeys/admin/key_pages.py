"""The pages of keys: one key, issue, find by secret, the pair of a rotation. Shows a secret once and never keeps it.

A secret leaves as the body of a POST's answer that nothing may store. It is in no address, message, session or log.
"""

from functools import partial
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.forms import Media, Script
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from apikeys import actions, conf, keys, scopes, staff
from apikeys.actions import ActionRefusedError, AlreadyIssuedError, IssuedKey
from apikeys.admin import cells, key_changes
from apikeys.admin.base import row_number
from apikeys.admin.changes import Change, ChangesMixin, Outcome
from apikeys.admin.key_forms import FindForm, IssueForm, NoteForm
from apikeys.admin.usage import facts_of_key
from apikeys.models import ApiKey, Service
from apikeys.site import actor_of

EVENTS_ON_A_PAGE = 8
# Fields that stand behind "Limits and note": it is opened where one of them is at fault.
LIMITS = {"allowed_ips", "rate_limit_per_hour", "environment", "note"}
SCRIPT = Media(js=[Script("hokusai_portal/secrets.js", defer=True)])  # type: ignore[list-item]  # the stubs know names alone


class KeyPages(ChangesMixin[ApiKey]):
    """What ``apikeys.admin.keys`` shows beside its list."""

    changes = (key_changes.ROTATE, key_changes.DISABLE, key_changes.ENABLE, key_changes.REVOKE)
    page_template = "apikeys/admin/key.html"
    # How a client is set up: a template of the app that knows what clients there are.
    client_template = ""

    def visible_rows(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return staff.keys(request.user).with_status().select_related("predecessor", "successor")

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("find/", guard(self.find_view), name="apikeys_apikey_find"),
            path("<path:object_id>/note/", guard(self.note_view), name="apikeys_apikey_note"),
            path("<path:object_id>/rotation/", guard(self.pair_view), name="apikeys_apikey_rotation"),
            *super().get_urls(),
        ]

    def page_context(self, request: HttpRequest, row: ApiKey) -> dict[str, Any]:
        return {
            "key": row,
            "chip": cells.chip(row.status),  # type: ignore[attr-defined]
            "meanings": [(word, scopes.DESCRIPTIONS[word]) for word in row.scopes if word in scopes.DESCRIPTIONS],
            "preset": scopes.preset_of(row.scopes),
            "created": cells.when(row.created_at),
            "expires": cells.when(row.expires_at),
            "last_used": cells.when(row.last_used_at),
            "networks": row.networks.all(),
            "rate": row.rate_limit_per_hour or conf.rate_limit_per_hour(),
            "changes": self.changes_of(request, row),
            "note_form": NoteForm(instance=row) if staff.may(request.user, "change", row) else None,
            "media": SCRIPT,
            "events": [
                {"event": event, "what": cells.action(event.action).capitalize(), "moment": cells.exactly(event.at)}
                for event in staff.events(request.user).filter(object_id=row.public_id)[:EVENTS_ON_A_PAGE]
            ],
            **facts_of_key(request, row),
            **self._client(request),
        }

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """There is no form of a key: lead to its page."""
        row = self.visible_row(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        return HttpResponseRedirect(self.page_url(row))

    @method_decorator(sensitive_post_parameters("form_token"))
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask what key to issue; answer a good POST with the key, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self._issue_form(request)
        if form.is_valid():
            try:
                return self.show_once(request, [_issue(form.cleaned_data, actor_of(request))], "Key issued")
            except AlreadyIssuedError as error:
                return self.render(request, "apikeys/admin/sent_before.html", title="Sent before", key=error.key)
            except (ActionRefusedError, scopes.UnknownScopeError) as error:
                form.add_error(None, str(error))
            except ValidationError as error:
                form.add_error(None, ValidationError(error.messages))
        facts = {"title": "Issue a key", "form": form, "more_is_open": form.errors.keys() & LIMITS}
        return self.render(request, "apikeys/admin/issue.html", **facts)

    def show_once(
        self, request: HttpRequest, issued: list[IssuedKey], title: str, refused: list[Outcome[ApiKey]] | None = None
    ) -> HttpResponse:
        """Return the one page that holds secrets; the site forbids to store any of its pages."""
        facts = {"issued": issued, "refused": refused or [], "media": SCRIPT, **self._client(request)}
        return self.render(request, "apikeys/admin/secrets.html", title=title, **facts)

    def finish(self, request: HttpRequest, change: Change[ApiKey], outcomes: list[Outcome[ApiKey]]) -> HttpResponse:
        issued = [outcome.result for outcome in outcomes if isinstance(outcome.result, IssuedKey)]
        if not issued:
            return super().finish(request, change, outcomes)
        refused = [outcome for outcome in outcomes if outcome.refusal]
        return self.show_once(request, issued, "Key rotated" if len(issued) == 1 else "Keys rotated", refused)

    def pair_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show a key beside its successor, or its predecessor: who still uses the old one, and until when."""
        row = self.visible_row(request, object_id)
        older, newer = (row, getattr(row, "successor", None)) if hasattr(row, "successor") else (row.predecessor, row)
        if older is None or newer is None:
            raise Http404
        old, new = (self.page_context(request, self.get_queryset(request).get(pk=key.pk)) for key in (older, newer))
        return self.render(
            request,
            "apikeys/admin/rotation.html",
            title="Rotation",
            old=old,
            new=new,
            sides=[
                old | {"heading": "Old key", "is_old": True},
                new | {"heading": "New key"},
            ],
        )

    def note_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Write a key's note down."""
        row = self.visible_row(request, object_id)
        if request.method != "POST" or not staff.may(request.user, "change", row):
            raise PermissionDenied
        try:
            actions.change_key(key=row, note=request.POST.get("note", ""), actor=actor_of(request))
            self.message_user(request, "The note is saved.")
        except ActionRefusedError as error:
            self.message_user(request, str(error), messages.ERROR)
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), messages.ERROR)
        return HttpResponseRedirect(self.page_url(row))

    @method_decorator(sensitive_post_parameters("secret"))
    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Lead from a whole key to its row, and say whether its secret is the right one."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = FindForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            pasted = form.cleaned_data["secret"]
            row = self.get_queryset(request).filter(public_id=pasted.public_id).first()
            if row is not None:
                self.message_user(request, *_verdict(row, pasted))
                return HttpResponseRedirect(self.page_url(row))
            form.add_error(None, f"There is no key {pasted.public_id} that you may see.")
        return self.render(request, "apikeys/admin/find.html", title="Find a key", form=form)

    def _issue_form(self, request: HttpRequest) -> IssueForm:
        asked = row_number(request.POST.get("service") or request.GET.get("service", ""))
        service = None if asked is None else Service.objects.filter(pk=asked).first()
        if service is not None and not staff.may_issue(request.user, service):
            raise PermissionDenied
        return IssueForm(
            request.POST if request.method == "POST" else None,
            services=staff.services_to_issue_for(request.user).filter(disabled_at__isnull=True),
            grantable=partial(staff.grantable_scopes, request.user),
            chosen=service,
        )

    def _client(self, request: HttpRequest) -> dict[str, str]:
        return {"client_template": self.client_template, "base_url": request.build_absolute_uri("/")}


def _issue(facts: dict[str, Any], actor: actions.Actor) -> IssuedKey:
    names = (
        "service",
        "name",
        "scopes",
        "expires_in_days",
        "environment",
        "allowed_ips",
        "rate_limit_per_hour",
        "note",
    )
    asked = {name: facts[name] for name in names}
    return actions.issue_key(**asked, idempotency_key=facts["form_token"], actor=actor)


def _verdict(row: ApiKey, pasted: keys.Key) -> tuple[str, int]:
    try:
        is_genuine = keys.is_digest_of(row.digest, pasted, row.pepper_number, conf.peppers())
    except keys.UnknownPepperError:
        return f"This is key {row}; its pepper is not configured, so its secret cannot be tested.", messages.WARNING
    if is_genuine:
        return f"This is key {row}, and its secret is right.", messages.SUCCESS
    return f"The public id is that of key {row}, but the secret is wrong: mistyped, or made up.", messages.WARNING
