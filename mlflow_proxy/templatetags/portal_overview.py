"""The tag that puts the overview into the admin's first page; owns no fact."""

from typing import Any

from django import template

from mlflow_proxy.admin import overview

register = template.Library()


@register.inclusion_tag("mlflow_proxy/overview.html", takes_context=True)
def portal_overview(context: Any) -> dict[str, Any]:
    """Render the state of the portal for the account that asks."""
    return overview.facts(context["request"])
