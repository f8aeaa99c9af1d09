"""Keys that services share by sharing the database."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table of shared keys; challenges that were given out and not used are of no use."""
    op.create_table(
        "shared_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("value", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shared_keys"),
        sa.UniqueConstraint("name", name="uq_shared_keys_name"),
    )
    op.execute("delete from challenges where used_at is null")


def downgrade() -> None:
    """Drop the table of shared keys."""
    op.drop_table("shared_keys")
