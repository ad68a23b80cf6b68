"""What Knownas costs, as shares of a bare Starlette route on the same core (bench/README.md)."""
