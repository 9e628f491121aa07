"""The contract's pandera checks as SQL conditions on one row. The only module that calls pandera's private parts.

pandera has no public way to one expression of a check; test_rules.py pins what is used of it here.
"""

from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pandera
import sqlglot
from pandera.api.checks import Check
from pandera.ibis import IbisData
from sqlglot import exp

from clearer_platform.contracts import Contract
from clearer_platform.errors import ContractError

TESTED = ("0.35",)
"""Versions of pandera against which the private call is pinned."""
ROW = "row"


@dataclass(frozen=True)
class Rule:
    """A check that a row breaks where `passes` is false (NULL passes: a missing value is judged by `missing` alone)."""

    name: str
    """`<column>.<check>`, or `record.<check>` for one that looks at several columns."""
    column: str | None
    passes: str
    """SQL over the contract's typed columns."""
    is_warning: bool
    message: str


_known: dict[int, tuple[Contract, list[Rule]]] = {}
"""By the contract's identity, which is kept alive here: making the SQL takes longer than judging a small delivery."""


def compiled(contract: Contract) -> list[Rule]:
    """Every check of the contract. Raises ContractError for one that is no condition on a single row."""
    if id(contract) not in _known:
        _known[id(contract)] = contract, _compiled(contract)
    return _known[id(contract)][1]


def _compiled(contract: Contract) -> list[Rule]:
    if not pandera.__version__.startswith(TESTED):
        raise ContractError(
            f"pandera {pandera.__version__} is not one that checks can be compiled with",
            hint=f"install pandera {TESTED[-1]}.x",
        )
    table = ibis.table({column.name: column.dtype for column in contract.columns}, name=ROW)
    rules = [_rule(contract, table, check, c.name) for c in contract.columns for check in c.checks]
    return rules + [_rule(contract, table, check, None) for check in contract.row_checks]


def _rule(contract: Contract, table: ir.Table, check: Check, column: str | None) -> Rule:
    name = f"{column or 'record'}.{check.name}"
    if check.element_wise:
        raise ContractError(f"contract {contract.name}: {name} is element-wise; write it as an Ibis expression")
    try:
        passes = " AND ".join(f"({_sql(e)})" for e in _expressions(check, table, column))
    except ContractError as e:
        raise ContractError(f"contract {contract.name}: {name} {e.message}", hint=e.hint) from e
    except Exception as e:  # a check is the contract's own code and may raise anything
        raise ContractError(f"contract {contract.name}: {name} cannot be compiled: {type(e).__name__}: {e}") from e
    message = f"breaks {check.error or check.name}" if column else f"breaks the rule {check.name}"
    return Rule(name, column, passes, bool(check.raise_warning), message)


def _expressions(check: Check, table: ir.Table, column: str | None) -> list[ir.Expr]:
    """What a check computes. A built-in one returns a projection, whose values are the expressions."""
    result = check._check_fn(IbisData(table, column), **check._check_kwargs)
    if isinstance(result, ir.Table):
        values = getattr(result.op(), "values", None)
        if not values:
            raise ContractError("returns a table that is not a projection of the row")
        return [table.select(passes=value.to_expr()) for value in values.values()]
    if isinstance(result, bool):
        return [table.select(passes=ibis.literal(result))]
    return [table.select(passes=result)]


def _sql(projection: ir.Table) -> str:
    """The one expression of a projection of `row`, as SQL without the table's name."""
    select = sqlglot.parse_one(str(ibis.to_sql(projection, dialect="duckdb")), dialect="duckdb")
    if select.find(exp.Window, exp.Subquery, exp.AggFunc, exp.Join) or len(list(select.find_all(exp.Select))) != 1:
        raise ContractError("looks at more than its own row", hint="make it a dbt test, or a condition on one row")
    assert isinstance(select, exp.Select)
    expression = select.selects[0].unalias()
    for reference in expression.find_all(exp.Column):
        reference.set("table", None)
    return str(expression.sql(dialect="duckdb"))
