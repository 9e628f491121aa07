"""`python -m clearer_platform.gold`: the warm process of the home that the environment names."""

from clearer_platform.gold import warm
from clearer_platform.settings import Settings

warm.serve(Settings())
