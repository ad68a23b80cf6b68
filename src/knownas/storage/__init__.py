"""All SQL and nothing else: two engines, one source of statements, migrations, secrets at rest."""
