"""Keys of platforms whose evidence comes without a certificate."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of platforms' keys."""
    op.create_table(
        "platform_keys",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("instance", sa.LargeBinary(33), nullable=False),
        sa.Column("public_key", sa.LargeBinary(256), nullable=False),
        sa.Column("provider", sa.String(160), nullable=False),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_platform_keys"),
    )
    op.create_index("uq_platform_keys_instance", "platform_keys", ["kind", "instance"], unique=True)


def downgrade() -> None:
    """Drop the table of platforms' keys."""
    op.drop_index("uq_platform_keys_instance", "platform_keys")
    op.drop_table("platform_keys")
