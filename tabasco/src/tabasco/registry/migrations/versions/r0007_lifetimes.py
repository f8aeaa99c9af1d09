"""What an enrolment rests on; removed values and keys, withdrawn policies; versions of 64 bits."""

import hashlib
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table of values, and fill it with what is known of who is enrolled."""
    op.create_table(
        "instance_values",
        sa.Column("instance", sa.Integer, nullable=False),
        sa.Column("value", sa.LargeBinary(64), nullable=False),
        sa.PrimaryKeyConstraint("instance", "value", name="pk_instance_values"),
        sa.ForeignKeyConstraint(
            ["instance"], ["instances.id"], name="fk_instance_values_instance_instances"
        ),
    )
    op.create_index("ix_instance_values_value", "instance_values", ["value"])
    op.add_column("instances", sa.Column("evidence", sa.LargeBinary(1024 * 1024)))
    _fill()
    for table in ("reference_values", "platform_keys"):
        op.add_column(table, sa.Column("removed_at", sa.DateTime))
    op.drop_index("uq_platform_keys_instance", "platform_keys")
    op.create_index(
        "uq_platform_keys_in_use",
        "platform_keys",
        ["kind", "instance"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    with op.batch_alter_table("policies") as policies:
        policies.add_column(sa.Column("withdrawn_at", sa.DateTime))
        policies.alter_column("version", type_=sa.BigInteger, existing_type=sa.Integer)
    with op.batch_alter_table("providers") as providers:
        providers.alter_column("bundle_version", type_=sa.BigInteger, existing_type=sa.Integer)


def _fill() -> None:
    """Name what each instance rests on; one that hardware vouched for has to enrol again."""
    connection = op.get_bind()
    # What its hardware proved was not kept, so no later policy could decide on it.
    connection.execute(
        sa.text(
            "update instances set expires_at = :now"
            " where platform <> 'linux-software-root' and expires_at > :now"
        ).bindparams(sa.bindparam("now", datetime.now(UTC).replace(tzinfo=None), sa.DateTime))
    )
    found = connection.execute(
        sa.text(
            "select i.id, i.instance_id, i.public_key, i.measurement, r.public_key, r.instance_id"
            " from instances i left join roots r on r.id = i.root_id"
        )
    ).all()
    rows = []
    for number, identifier, key, measurement, root_key, root_id in found:
        digests = [hashlib.sha256(each).digest() for each in (key, root_key) if each is not None]
        values = {bytes(each) for each in (identifier, measurement, root_id) if each is not None}
        rows += [
            {"instance": number, "value": value} for value in {*values, *digests} if any(value)
        ]
    table = sa.table(
        "instance_values", sa.column("instance", sa.Integer), sa.column("value", sa.LargeBinary)
    )
    if rows:
        op.bulk_insert(table, rows)


def downgrade() -> None:
    """Forget what was removed and withdrawn, and what enrolments rest on."""
    with op.batch_alter_table("providers") as providers:
        providers.alter_column("bundle_version", type_=sa.Integer, existing_type=sa.BigInteger)
    op.execute("delete from policies where withdrawn_at is not null")
    with op.batch_alter_table("policies") as policies:
        policies.drop_column("withdrawn_at")
        policies.alter_column("version", type_=sa.Integer, existing_type=sa.BigInteger)
    op.drop_index("uq_platform_keys_in_use", "platform_keys")
    for table in ("platform_keys", "reference_values"):
        op.execute(f"delete from {table} where removed_at is not null")  # noqa: S608 - of our own
        with op.batch_alter_table(table) as altered:
            altered.drop_column("removed_at")
    op.create_index("uq_platform_keys_instance", "platform_keys", ["kind", "instance"], unique=True)
    with op.batch_alter_table("instances") as instances:
        instances.drop_column("evidence")
    op.drop_index("ix_instance_values_value", "instance_values")
    op.drop_table("instance_values")
