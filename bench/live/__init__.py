"""What the platform shows under `clearer up`: how soon a file is served, and what drops, kills and crowds do to it."""
