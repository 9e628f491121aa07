"""Rows a second through `POST /v1/migrate`, beside the usual row-by-row service."""
