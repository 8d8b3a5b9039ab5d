"""Who decides which kind of request, in which stages: read from `policies.yaml`, checked when it is read."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from headrace.foundation.roles import Permission


@dataclass(frozen=True, slots=True)
class Stage:
    """One decision. permission: of whoever takes it."""

    name: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class Policy:
    """The stages of one kind of request, at least one, in order."""

    kind: str
    label: str
    stages: tuple[Stage, ...]


@cache
def policies() -> dict[str, Policy]:
    """Give the policy of each kind of request."""
    text = files("headrace.workflow").joinpath("policies.yaml").read_text(encoding="utf-8")
    found = {
        kind: Policy(
            kind,
            written["label"],
            tuple(Stage(stage["name"], Permission(stage["permission"])) for stage in written["stages"]),
        )
        for kind, written in YAML(typ="safe").load(text).items()
    }
    assert all(policy.stages for policy in found.values()), "a request without a stage would approve itself"
    return found
