"""Governance: pseudonyms, and what else decides who may see what of a person."""

from clearer_platform.governance.pseudonyms import Pseudonyms

__all__ = ["Pseudonyms"]
