"""Governance: pseudonyms, roles, and what else decides who may see what of a person."""

from clearer_platform.governance.pseudonyms import Pseudonyms
from clearer_platform.governance.roles import LAYERS, Layer, Operation, Role, Roles, load_roles

__all__ = ["LAYERS", "Layer", "Operation", "Pseudonyms", "Role", "Roles", "load_roles"]
