"""Pictures, tables and HTML: values in, text or a file out; nothing is computed."""
