"""Contracts: one module a domain. A new table is a contract here, or in a module of CLEARER_CONTRACT_MODULES."""

import importlib
import pkgutil
from collections.abc import Iterable

from clearer_platform.contracts.contract import (
    POSITION,
    Column,
    Contract,
    Drift,
    LoadMode,
    Nested,
    Personal,
    Reference,
    Spans,
)
from clearer_platform.errors import ContractError

__all__ = [
    "POSITION",
    "Column",
    "Contract",
    "Drift",
    "LoadMode",
    "Nested",
    "Personal",
    "Reference",
    "Spans",
    "load_contracts",
]


def load_contracts(modules: Iterable[str] = ()) -> dict[str, Contract]:
    """Every contract of this package and of the further `modules`, by table name.

    Raises ContractError for a module that cannot be imported and for a name that two contracts share.
    """
    ours = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    found: dict[str, Contract] = {}
    for name in [*ours, *modules]:
        try:
            module = importlib.import_module(name)
        except ImportError as e:
            raise ContractError(
                f"cannot import the contracts in {name}: {e}", hint="check CLEARER_CONTRACT_MODULES and PYTHONPATH"
            ) from e
        for contract in vars(module).values():
            if isinstance(contract, Contract) and found.setdefault(contract.name, contract) is not contract:
                raise ContractError(f"two contracts are called {contract.name} (the second in {name})")
    return found
