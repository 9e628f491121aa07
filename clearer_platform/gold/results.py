"""What a build of gold came to, as data, and the error for one that did not pass."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from clearer_platform.errors import BuildError


@dataclass(frozen=True)
class TestResult:
    """How one dbt test came out."""

    __test__ = False  # pytest: not a test class

    name: str
    model: str
    passed: bool
    severity: str
    """`error` blocks publication, `warn` does not."""
    failures: int
    message: str


@dataclass(frozen=True)
class Build:
    """What building one warehouse came to."""

    region: str | None
    changed: bool
    restated: tuple[date, ...] = ()
    """Days that the marts of the grain region and day were built anew for."""
    rows: dict[str, int] | None = None
    """Rows of each model of gold, by alias; None where nothing changed."""
    tests: tuple[TestResult, ...] = ()
    seconds: float = 0.0
    published: bool = False
    replaced: bool = False
    """Whether silver files that it had been built from are gone by now, or others."""


class GoldFailed(BuildError):
    """A model or a test failed. The serving copy is as it was."""

    def __init__(self, what: str, failures: Iterable[str], tests: tuple[TestResult, ...], hint: str) -> None:
        super().__init__(f"{what}: " + "; ".join(failures), hint=hint)
        self.tests = tests

    @property
    def is_of_rows(self) -> bool:
        """Whether tests found rows that should not be, and not the engine an error."""
        return any(test.failures for test in self.tests if not test.passed and test.severity == "error")


def judged(what: str, outcome: Any, names: Collection[str]) -> tuple[TestResult, ...]:
    """The tests of dbt's `outcome`. Raises GoldFailed, naming the models and tests that failed.

    `names` are those of columns, models and tables: nothing else that an engine quotes is repeated, it may be personal.
    """
    if outcome.exception is not None:
        raise GoldFailed(what, [f"dbt could not run ({explained(outcome.exception, names)})"], (), _MEND)
    ran = list(outcome.result.results)
    tests = tuple(_test(result, names) for result in ran if _is_test(result) and str(result.status) != "skipped")
    failures = [
        f"model {result.node.name} could not be built ({explained(result.message, names)})"
        for result in ran
        if str(result.node.resource_type) == "model" and str(result.status) == "error"
    ]
    failures += [
        f"test {test.name} of {test.model} failed ({test.message})"
        for test in tests
        if not test.passed and test.severity == "error"
    ]
    if failures or not outcome.success:
        raise GoldFailed(what, failures or ["dbt did not finish"], tests, _MEND)
    return tests


def _is_test(result: Any) -> bool:
    return str(result.node.resource_type) in ("test", "unit_test")


_MEND = (
    "what is served is still the last good version; mend the model, or the rows that the test is about, "
    "and run `clearer materialize` again"
)


def _test(result: Any, names: Collection[str]) -> TestResult:
    node, status = result.node, str(result.status)
    failed = result.failures or 0
    broken = status == "error" or (status == "fail" and not failed)
    return TestResult(
        name=node.name,
        model=model_of(getattr(node, "attached_node", None), node.depends_on.nodes),
        passed=status == "pass",
        severity="error" if status in ("error", "fail") else str(node.config.severity).lower(),
        failures=failed,
        message=explained(result.message, names) if broken else _counted(failed, node.config.meta.get("hint")),
    )


def _counted(failed: int, hint: str | None) -> str:
    """How many rows a test found, and what its author says of them."""
    return "; ".join([f"{failed} rows", *([hint] if hint else [])]) if failed else ""


def model_of(attached: str | None, depends: list[str]) -> str:
    """The model that a test is about: the one it is attached to, else the last one that it reads."""
    models = [name for name in depends if name.startswith("model.")]
    unique_id = attached or (models[-1] if models else "")
    return unique_id.split(".")[-1]


def explained(message: object, names: Collection[str]) -> str:
    """An engine's message in one line: what went wrong, without any value of a row."""
    lines = [line.strip() for line in str(message).splitlines() if line.strip()]
    told = next(
        (line for line in lines if re.match(r"^[A-Z][A-Za-z ]+ Error: ", line)),
        lines[0] if lines else "no reason given",
    )
    return re.sub(r"""(['"])(.*?)\1""", lambda m: m.group(0) if m.group(2) in names else "'...'", told)
