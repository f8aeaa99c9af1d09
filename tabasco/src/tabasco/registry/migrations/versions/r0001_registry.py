"""Roots, challenges and instances."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    op.create_table(
        "roots",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("instance_id", sa.LargeBinary(33), nullable=False),
        sa.Column("public_key", sa.LargeBinary(256), nullable=False),
        sa.Column("added_at", sa.DateTime, nullable=False),
        sa.Column("removed_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_roots"),
        sa.UniqueConstraint("instance_id", name="uq_roots_instance_id"),
    )
    op.create_index(
        "uq_roots_name_in_use",
        "roots",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "challenges",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("used_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_challenges"),
        sa.UniqueConstraint("digest", name="uq_challenges_digest"),
    )
    op.create_index("ix_challenges_expires_at", "challenges", ["expires_at"])
    op.create_table(
        "instances",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("instance_id", sa.LargeBinary(33), nullable=False),
        sa.Column("public_key", sa.LargeBinary(256), nullable=False),
        sa.Column("platform", sa.String(64), nullable=False),
        sa.Column("measurement", sa.LargeBinary(64), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("root_id", sa.Integer),
        sa.Column("enrolled_at", sa.DateTime, nullable=False),
        sa.Column("expires_at", sa.DateTime, nullable=False),
        sa.Column("revoked_at", sa.DateTime),
        sa.PrimaryKeyConstraint("id", name="pk_instances"),
        sa.UniqueConstraint("instance_id", name="uq_instances_instance_id"),
        sa.ForeignKeyConstraint(["root_id"], ["roots.id"], name="fk_instances_root_id_roots"),
    )
    op.create_index("ix_instances_root_id", "instances", ["root_id"])


def downgrade() -> None:
    """Drop the first tables, and everything in them."""
    op.drop_table("instances")
    op.drop_table("challenges")
    op.drop_table("roots")
