"""The plan on Spark against the plan on DuckDB."""
