"""Certificates of manufacturers of TPMs among the roots."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0004"


def upgrade() -> None:
    """Say of each root what it is; all that are there are software roots."""
    op.add_column(
        "roots", sa.Column("kind", sa.String(16), nullable=False, server_default="software")
    )
    op.add_column("roots", sa.Column("certificate", sa.LargeBinary(16 * 1024), nullable=True))


def downgrade() -> None:
    """Forget manufacturers, and what vouched for which instance of theirs."""
    op.execute(
        "update instances set root_id = null where root_id in "
        "(select id from roots where kind <> 'software')"
    )
    op.execute("delete from roots where kind <> 'software'")
    op.drop_column("roots", "certificate")
    op.drop_column("roots", "kind")
