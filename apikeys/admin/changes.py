"""Changes of one or many rows that are confirmed on a page of their own; knows no particular change.

``Change`` says what is asked and done, ``ChangesMixin`` gives a screen the page, the entry in the list's actions and
the summary. Whoever may do it is asked about every row, before the page is shown and before anything is done.
"""

from collections.abc import Callable, Sized
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from apikeys import staff
from apikeys.actions import ActionRefusedError
from apikeys.admin.base import PortalModelAdmin, row_number
from apikeys.site import actor_of
from apikeys.trail import Actor

MAXIMUM_ROWS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change[Row: Model]:
    """What the page asks and what is done; ``apply`` raises ActionRefusedError or ValidationError for a refusal.

    ``may`` is about rights, of whoever asks. ``suits`` is about the row's condition: where it is not met, the change
    is not offered, and if asked for it is refused with a sentence.
    """

    name: str
    verb: str
    done: str
    consequence: str
    form: type[forms.Form]
    apply: Callable[[Row, dict[str, Any], Actor], Any]
    may: Callable[[staff.Account, Row], bool]
    suits: Callable[[Row], bool]
    is_grave: bool = False


@dataclass(frozen=True, slots=True)
class Outcome[Row: Model]:
    """What became of one row: a result of the action, or the sentence of its refusal."""

    row: Row
    result: Any = None
    refusal: str = ""

    @property
    def told(self) -> str:
        """The refusal, or what the action has to say beside that it is done."""
        return self.refusal or (self.result if isinstance(self.result, str) else "")


class ChangesMixin[Row: Model](PortalModelAdmin[Row]):
    """Adds ``<name>/?rows=1,2`` and an entry in the list's actions for each of ``changes``."""

    changes: tuple[Change[Row], ...] = ()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.actions = [_as_action(change) for change in self.changes]

    def get_urls(self) -> list[URLPattern]:
        views = [
            path(
                f"{change.name}/",
                self.admin_site.admin_view(self._view(change)),
                name=self._url_name(change.name),
            )
            for change in self.changes
        ]
        return [*views, *super().get_urls()]

    def change_url(self, name: str, *rows: Row) -> str:
        """Return the address of the page that asks whether to change these rows."""
        return f"{reverse(f'admin:{self._url_name(name)}')}?rows={','.join(str(row.pk) for row in rows)}"

    def changes_of(self, request: HttpRequest, row: Row) -> list[tuple[Change[Row], str]]:
        """Return the changes that the account may make of a row, each with its address."""
        offered = (change for change in self.changes if change.suits(row) and change.may(request.user, row))
        return [(change, self.change_url(change.name, row)) for change in offered]

    def finish(self, request: HttpRequest, change: Change[Row], outcomes: list[Outcome[Row]]) -> HttpResponse:
        """Answer a change that was made: with the row's page, or with a summary of many."""
        if len(outcomes) == 1:
            (outcome,) = outcomes
            told = f": {outcome.told}" if outcome.told else ""
            self.message_user(request, f"{outcome.row} is {change.done}{told}.", messages.SUCCESS)
            return HttpResponseRedirect(self.page_url(outcome.row))
        title = self._title(change, outcomes)
        return self.render(request, "apikeys/admin/summary.html", title=title, change=change, outcomes=outcomes)

    def _url_name(self, name: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{name.replace('-', '_')}"

    def _view(self, change: Change[Row]) -> Callable[[HttpRequest], HttpResponse]:
        return lambda request: self._confirm(request, change)

    def _confirm(self, request: HttpRequest, change: Change[Row]) -> HttpResponse:
        rows = self._rows_named(request, change)
        form = change.form(request.POST if request.method == "POST" else None)
        if form.is_valid():
            outcomes = [_outcome(change, row, form.cleaned_data, actor_of(request)) for row in rows]
            if len(rows) > 1 or not outcomes[0].refusal:
                return self.finish(request, change, outcomes)
            form.add_error(None, outcomes[0].refusal)
        title = self._title(change, rows)
        return self.render(request, "apikeys/admin/confirm.html", title=title, change=change, form=form, rows=rows)

    def _title(self, change: Change[Row], rows: Sized) -> str:
        many = f"{len(rows)} {self.opts.verbose_name_plural}"
        return f"{change.verb} {self.opts.verbose_name if len(rows) == 1 else many}"

    def _rows_named(self, request: HttpRequest, change: Change[Row]) -> list[Row]:
        numbers = {row_number(word) for word in request.GET.get("rows", "").split(",")}
        if None in numbers:
            raise Http404
        rows = list(self.get_queryset(request).filter(pk__in=numbers)[:MAXIMUM_ROWS])
        if len(rows) != len(numbers) or not all(change.may(request.user, row) for row in rows):
            raise PermissionDenied
        return rows


def may_change(user: staff.Account, row: Model) -> bool:
    """Return whether an account may change a row: the right that most changes ask for."""
    return staff.may(user, "change", row)


def _as_action(change: Change[Any]) -> Callable[..., HttpResponse | None]:
    """Return the entry of the list's actions: it leads to the page with the rows that were ticked."""

    def act(screen: ChangesMixin[Any], request: HttpRequest, rows: Any) -> HttpResponse | None:
        if rows.count() > MAXIMUM_ROWS:
            screen.message_user(request, f"Select at most {MAXIMUM_ROWS}.", messages.WARNING)
            return None
        return HttpResponseRedirect(screen.change_url(change.name, *rows))

    act.__name__ = change.name.replace("-", "_")
    act.short_description = f"{change.verb} …"  # type: ignore[attr-defined]
    act.allowed_permissions = ["change"]  # type: ignore[attr-defined]
    return act


def _outcome(change: Change[Any], row: Any, facts: dict[str, Any], actor: Actor) -> Outcome[Any]:
    try:
        return Outcome(row, change.apply(row, facts, actor))
    except ActionRefusedError as error:
        return Outcome(row, refusal=str(error))
    except ValidationError as error:
        return Outcome(row, refusal=" ".join(error.messages))
