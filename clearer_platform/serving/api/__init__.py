"""The REST service: what programs outside may ask of the platform, and on what conditions.

app         the application: endpoints, middleware, errors
access      which role may call what; keys, audit, limits and problems are what it is judged and answered by
about, tables, reports, ...   the endpoints, each a thin layer over what can be called from Python as well
server      running it

No endpoint answers without a rule, and none does what could not be done by the library: rows come in by the same
contracts as every other delivery, and rows go out as they are served.
"""

from clearer_platform.serving.api.app import create_app

__all__ = ["create_app"]
