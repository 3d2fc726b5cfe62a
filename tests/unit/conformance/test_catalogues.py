from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.server import SERVER_CHECKS


def test_every_role_has_its_checks() -> None:
    assert CATALOGUES["device"] is DEVICE_CHECKS
    assert CATALOGUES["server"] is SERVER_CHECKS
    for role, checks in CATALOGUES.items():
        assert len(checks) > 0, role
        assert all(check.title.endswith((".", ".)")) for check in checks)
