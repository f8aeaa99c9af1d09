"""Administrators, who come over the network with a token."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table of administrators."""
    op.create_table(
        "administrators",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(32), nullable=False),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_administrators"),
        sa.UniqueConstraint("name", name="uq_administrators_name"),
        sa.UniqueConstraint("token_digest", name="uq_administrators_token_digest"),
    )


def downgrade() -> None:
    """Drop the table of administrators."""
    op.drop_table("administrators")
