"""Alembic's entry: `tabasco.registry.database` hands it a connection inside a transaction.

That transaction is the caller's to commit, and both kinds of database undo table definitions as
well as rows.
"""

from alembic import context

from tabasco.registry.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
