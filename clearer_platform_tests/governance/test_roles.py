"""The declaration of roles: what it allows, and what it may not say."""

import itertools

import pytest

from clearer_platform.errors import RolesError
from clearer_platform.governance import LAYERS, Operation, Roles, load_roles
from clearer_platform.settings import Settings

SMALL = '[roles.clerk]\ndescription = "Reads."\n[[roles.clerk.grants]]\nmay = ["read"]\non = ["gold.hires_*"]\n'


def roles_in(folder, text) -> Roles:
    path = folder / "roles.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_roles(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "roles: Field required"),
        ("[roles]", "roles: "),
        ("[roles.clerk", "not valid TOML"),
        (b'[roles.clerk]\ndescription = "\xff"', "not UTF-8"),
        (SMALL.replace('"Reads."', '""'), "roles.clerk.description"),
        (SMALL.replace("clerk", "Clerk"), "roles.Clerk"),
        (SMALL.replace('"read"', '"peek"'), "roles.clerk.grants.0.may.0"),
        (SMALL.replace('"read"', ""), "roles.clerk.grants.0.may"),
        (SMALL.replace("gold.hires_*", "hires"), "roles.clerk.grants.0.on.0"),
        (SMALL.replace("gold.hires_*", "gold.*_hires"), "roles.clerk.grants.0.on.0"),
        (SMALL.replace("gold.hires_*", "*"), "roles.clerk.grants.0.on.0"),
        (SMALL.replace("gold.hires_*", "silver.*"), "read is about gold and global, not silver"),
        (SMALL.replace('"read"', '"write"'), "write is about silver, not gold"),
        (SMALL + 'on_top = "x"', "roles.clerk.grants.0.on_top"),
        (SMALL.replace("[[", 'includes = "boss"\n[[', 1), "clerk: there is no role 'boss' to include"),
        (SMALL.replace("[[", 'includes = "clerk"\n[[', 1), "it includes itself"),
        (SMALL.replace("[[", 'sees = "everything"\n[[', 1), "roles.clerk.sees"),
        ('[roles.idle]\ndescription = "x"\ngrants = []', "roles.idle.grants"),
    ],
)
def test_a_declaration_that_cannot_be_names_the_place_and_the_reason(tmp_path, text, said):
    with pytest.raises(RolesError) as error:
        roles_in(tmp_path, text)
    assert said in str(error.value)
    assert "roles.toml" in str(error.value)


def test_no_declaration_says_what_to_do(tmp_path):
    with pytest.raises(RolesError, match="CLEARER_ROLES_FILE"):
        load_roles(tmp_path / "roles.toml")


def test_what_no_grant_names_is_denied(tmp_path):
    roles = roles_in(tmp_path, SMALL)
    assert roles.allows("clerk", Operation.READ, "gold.hires_by_quarter")
    assert not roles.allows("clerk", Operation.READ, "gold.branch_performance")
    assert not roles.allows("clerk", Operation.READ, "global.hires_by_quarter")
    assert not roles.allows("clerk", Operation.BACK_UP, "gold.hires_by_quarter")
    assert not roles.allows("nobody", Operation.READ, "gold.hires_by_quarter")
    assert roles.sees("nobody") == frozenset()
    assert not roles.allows_any("nobody", Operation.READ)


def test_a_role_has_what_the_one_that_it_includes_has(tmp_path):
    boss = (
        '[roles.boss]\ndescription = "Writes."\nincludes = "clerk"\nsees = "pseudonyms"\n'
        '[[roles.boss.grants]]\nmay = ["write"]\non = ["silver.jobs"]\n'
    )
    roles = roles_in(tmp_path, SMALL + boss)
    assert roles.allows("boss", Operation.READ, "gold.hires_by_quarter")
    assert roles.allows("boss", Operation.WRITE, "silver.jobs")
    assert not roles.allows("clerk", Operation.WRITE, "silver.jobs")
    assert (roles.sees("boss"), roles.sees("clerk")) == ({"aggregates", "pseudonyms"}, {"aggregates"})


def test_grants_on_tables_that_are_not_there_are_found(tmp_path):
    roles, path = roles_in(tmp_path, SMALL), tmp_path / "roles.toml"
    roles.check_tables({"gold.hires_by_quarter"}, path)
    with pytest.raises(RolesError, match=r"roles.clerk.grants.0.on: there is no table gold.hires_\*"):
        roles.check_tables({"gold.branch_performance", "silver.hires_x"}, path)


MAY = {
    "junior_analyst": {"read"},
    "senior_analyst": {"read", "follow"},
    "junior_engineer": {"read", "write", "follow", "back_up"},
    "senior_engineer": {"read", "write", "follow", "back_up", "restore"},
    "junior_scientist": {"read"},
    "senior_scientist": {"read", "follow", "back_up"},
}
"""The six roles in one look, from the paragraph on governance: a junior does less, and only engineers bring data in."""


def test_the_six_roles():
    roles = load_roles(Settings(_env_file=None).roles_file)
    assert set(roles.roles) == set(MAY)
    for role, operation in itertools.product(MAY, Operation):
        tables = [f"{layer}.jobs" for layer in LAYERS[operation]]
        may = [roles.allows(role, operation, table) for table in tables]
        assert any(may) == (operation.value in MAY[role]) == roles.allows_any(role, operation), (role, operation)
    assert {role for role in MAY if "pseudonyms" in roles.sees(role)} == {
        "senior_analyst",
        "junior_scientist",
        "senior_scientist",
    }
