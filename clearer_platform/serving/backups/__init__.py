"""Backups: any delivered or gold table of a region as an Avro file in that region's own root, and back again.

create(platform, "eu", "customers")              back up what the table says now
listed(platform, "eu")                           the backups that are there, the newest first
verify(platform, "eu", backup_id)                read one in full
restore(platform, "eu", backup_id, "customers")  put its rows in the place of what the table says now
prune(platform, "eu", "customers", keep=7)       remove old ones
"""

from clearer_platform.serving.backups.backup import Backup, Restored
from clearer_platform.serving.backups.making import create, is_possible, possible
from clearer_platform.serving.backups.restoring import restore
from clearer_platform.serving.backups.store import damaged, listed, prune, verify

__all__ = ["Backup", "Restored", "create", "damaged", "is_possible", "listed", "possible", "prune", "restore", "verify"]
