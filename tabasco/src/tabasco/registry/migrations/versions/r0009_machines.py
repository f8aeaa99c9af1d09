"""What hardware measured of the machine, kept with an enrolment for the results that tell it."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column; who is enrolled already has none until it enrols again."""
    op.add_column("instances", sa.Column("machine", sa.LargeBinary(4 * 1024)))


def downgrade() -> None:
    """Drop the column."""
    with op.batch_alter_table("instances") as instances:
        instances.drop_column("machine")
