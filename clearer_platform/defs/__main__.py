"""`python -m clearer_platform.defs`: the process of a home that runs, and builds for commands, are forked from."""

from collections.abc import Mapping

from clearer_platform.forking import Answer, serve
from clearer_platform.settings import Settings

settings = Settings()


def load() -> Mapping[str, Answer]:
    """Everything that children need, and what they can do."""
    from clearer_platform.defs import forks
    from clearer_platform.defs.rehearsal import rehearse
    from clearer_platform.gold import warm

    rehearse(settings)
    return {forks.RUN: forks.run, warm.BUILD: warm.answer}


serve(settings.dagster_home, load)
