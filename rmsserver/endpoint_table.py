"""Who may call which endpoint: the product's defaults (auth/policy.py), changed by `[endpoints]` in rmsserver.toml."""

from __future__ import annotations

from dataclasses import dataclass

from rmsserver.auth.listed import ListedNames
from rmsserver.auth.policy import DEFAULT_RULES, AccessPolicy, Demand, Rule
from rmsserver.config import Config, EndpointAccess
from rmsserver.errors import OperatorError
from rmsserver.operations.find_service_locations import REMOTE_DIRECTORY_PATH
from rmsserver.ports import Directory
from rmsserver.web.routes import BASE, ROUTES, is_external


@dataclass(frozen=True)
class EndpointRow:
    """`path` below the cluster's URL, in the specification's spelling where it is served; `accounts` as configured."""

    path: str
    demand: Demand
    accounts: tuple[str, ...]
    is_configured: bool
    is_served: bool
    """False for the endpoints of federation where no partner is configured."""


def endpoint_rows(config: Config) -> tuple[EndpointRow, ...]:
    """The whole table, by path. Raises OperatorError where the configuration names an endpoint that there is not."""
    policy = configured_policy(config)
    return tuple(_row(key, policy, config) for key in sorted(policy.rules))


def configured_policy(config: Config) -> AccessPolicy:
    """With empty lists: the names in them are the directory's business. Raises OperatorError."""
    policy = AccessPolicy()
    for path, endpoint in config.endpoints.items():
        try:
            policy = policy.changed(f"/{path}", Rule(Demand(endpoint.access.value)))
        except ValueError as error:
            raise OperatorError(
                f"endpoints: {error}: correct it in rmsserver.toml; rmsserver endpoints shows all"
            ) from None
    return policy


def listed_names(config: Config, directory: Directory) -> ListedNames:
    """The policy of a serving process. Raises OperatorError."""
    listed = {
        f"/{path}": endpoint.accounts
        for path, endpoint in config.endpoints.items()
        if endpoint.access is EndpointAccess.LISTED
    }
    return ListedNames(configured_policy(config), listed, directory)


def open_paths(config: Config) -> tuple[str, ...]:
    """Endpoints that are served to anonymous callers."""
    return tuple(row.path for row in endpoint_rows(config) if row.demand is Demand.ANONYMOUS and row.is_served)


def _row(key: str, policy: AccessPolicy, config: Config) -> EndpointRow:
    configured = config.endpoints.get(key.strip("/"))
    path, number_sign, operation = key.partition("#")
    route = ROUTES.get((BASE + path).lower())
    return EndpointRow(
        path=(route.path if route else REMOTE_DIRECTORY_PATH).lstrip("/") + number_sign + operation,
        demand=policy.rules[key].demand,
        accounts=configured.accounts if configured else (),
        is_configured=configured is not None and policy.rules[key] is not DEFAULT_RULES.get(key),
        is_served=route is None or not is_external(route) or bool(config.federation.issuers),
    )
