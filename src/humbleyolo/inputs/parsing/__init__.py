"""CSV, JSON, text and XML from files that nobody checked."""
