"""Workspaces: the service's list decides, and an artifact path cannot leave the one acted in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_proxy.exceptions import AmbiguousTargetError, WorkspaceRefusedError
from mlflow_proxy.workspaces import choose, refuse_foreign_prefix

NAMES = st.sampled_from(["default", "team-a", "team-b", "Team-A", "team-a,team-b", "", "other"])
LISTS = st.lists(st.sampled_from(["default", "team-a", "team-b", "team-c"]), unique=True)


@given(LISTS, st.none() | NAMES)
def test_choice_is_on_the_list_or_refused(allowed: list[str], asked: str | None) -> None:
    try:
        chosen = choose(allowed, asked)
    except WorkspaceRefusedError:
        assert asked not in allowed
        return
    assert chosen in allowed if allowed else chosen is None


@given(st.none() | NAMES)
def test_service_without_workspaces_acts_in_the_default_one_whatever_it_asks(asked: str | None) -> None:
    assert choose([], asked) is None


@given(st.none() | NAMES)
def test_service_of_one_workspace_is_in_it_whatever_it_asks(asked: str | None) -> None:
    assert choose(["team-a"], asked) == "team-a"


def test_service_of_several_is_in_the_first_unless_it_asks() -> None:
    assert choose(["team-b", "team-a"], None) == "team-b"


def test_service_of_several_is_where_it_asks() -> None:
    assert choose(["team-b", "team-a"], "team-a") == "team-a"


@pytest.mark.parametrize("asked", ["other", "Team-A", "team-a,team-b", "team-a ", ""])
def test_workspace_that_is_not_on_the_list_is_403(asked: str) -> None:
    with pytest.raises(WorkspaceRefusedError) as caught:
        choose(["team-a", "team-b"], asked)
    assert (caught.value.status, caught.value.error_code) == (403, "PERMISSION_DENIED")
    assert "team-a, team-b" in str(caught.value)


@pytest.mark.parametrize(
    "path", [(), ("0",), ("0", "workspaces", "other"), ("workspaces-x", "other"), ("Workspaces", "x")]
)
@pytest.mark.parametrize("workspace", [None, "team-a"])
def test_path_that_names_no_workspace_passes(path: tuple[str, ...], workspace: str | None) -> None:
    refuse_foreign_prefix(path, workspace)


@pytest.mark.parametrize(("name", "workspace"), [("default", None), ("team-a", "team-a")])
def test_path_of_the_workspace_acted_in_passes(name: str, workspace: str | None) -> None:
    refuse_foreign_prefix(("workspaces", name, "0"), workspace)


@pytest.mark.parametrize(
    ("path", "workspace"),
    [
        (("workspaces",), None),
        (("workspaces",), "team-a"),
        (("workspaces", ""), "team-a"),
        (("workspaces", "team-a"), None),
        (("workspaces", "default"), "team-a"),
        (("workspaces", "team-b"), "team-a"),
        (("workspaces", "TEAM-A"), "team-a"),
    ],
)
def test_path_of_any_other_workspace_is_refused(path: tuple[str, ...], workspace: str | None) -> None:
    with pytest.raises(AmbiguousTargetError):
        refuse_foreign_prefix(path, workspace)
