"""Cannot be imported: its top level raises."""

raise RuntimeError("the database is not configured")
