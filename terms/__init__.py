"""What the agreements say: pure functions over the clauses under ``config/clauses``."""
