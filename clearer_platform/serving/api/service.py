"""What every request of one service shares, made once when it starts."""

from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request

from clearer_platform import gold
from clearer_platform.governance import Layer, Roles, load_roles
from clearer_platform.platform import Platform
from clearer_platform.serving.api.audit import Audit
from clearer_platform.serving.api.keys import Keys
from clearer_platform.serving.api.limits import Buckets, Workers
from clearer_platform.serving.catalogue import MACRO


@dataclass(frozen=True)
class Service:
    """A platform, and what decides who may ask what of it, and how much."""

    platform: Platform
    roles: Roles
    keys: Keys
    audit: Audit
    requests: Buckets
    failures: Buckets
    workers: Workers

    @classmethod
    def open(cls, platform: Platform) -> "Service":
        """The service of a platform. Raises RolesError."""
        settings = platform.settings
        return cls(
            platform=platform,
            roles=load_roles(settings.roles_file),
            keys=Keys(settings.home),
            audit=Audit(settings.home, settings.api_audit_bytes),
            requests=Buckets(settings.api_requests_per_minute),
            failures=Buckets(settings.api_failures_per_minute),
            workers=Workers(settings.api_workers, settings.api_timeout),
        )

    @cached_property
    def models(self) -> tuple[gold.Model, ...]:
        """The tables of gold, as they were when they were first asked for: like contracts, they stay for a process."""
        found = (model for model in gold.models(self.platform) if model.layer == "gold")
        return tuple(model for model in found if model.materialized != MACRO)

    def tables(self, region: str, layer: Layer) -> list[str]:
        """The tables of a layer that a region has."""
        if layer == "silver":
            return list(self.platform.region(region).tables)
        return [model.alias for model in self.models] if layer == "gold" else []

    def close(self) -> None:
        """Wait for what was begun, and close what is open."""
        self.workers.close()
        self.audit.close()


def service_of(request: Request) -> Service:
    """The service that a request is put to."""
    found: Service = request.app.state.service
    return found
