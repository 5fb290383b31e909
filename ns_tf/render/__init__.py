"""Pictures, tables and HTML."""
