"""SoftCart's way from MySQL to PostgreSQL: the platform beside what a user would write instead."""
